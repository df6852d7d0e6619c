// Package history keeps the templates that a controller's object has had, as ControllerRevisions.
package history

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/owned"
)

// ErrCollision is that a revision's name is taken by another that holds something else: its owner must count it, and choose the next name.
var ErrCollision = errors.New("the name of the revision is taken")

// Of returns the revisions of owner, of the given kind, oldest first: those that it controls, and those that it selects
// and nobody controls, which it adopts. Thus one that takes the place of another with the same Pods, as after
// kubectl delete --cascade=orphan, has the history that these are of. They are shared: read only.
func Of(ctx context.Context, c client.Client, owner client.Object, kind schema.GroupVersionKind, selector *metav1.LabelSelector) ([]*appsv1.ControllerRevision, error) {
	matching, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil, reconcile.TerminalError(fmt.Errorf("reading the selector of %s: %w", client.ObjectKeyFromObject(owner), err))
	}
	var mine, orphans appsv1.ControllerRevisionList
	if err := errors.Join(owned.List(ctx, c, &mine, owner), owned.Orphans(ctx, c, &orphans, owner.GetNamespace())); err != nil {
		return nil, fmt.Errorf("listing revisions of %s: %w", client.ObjectKeyFromObject(owner), err)
	}
	candidates := append(pointers(mine.Items), pointers(orphans.Items)...)
	all, err := owned.Claim(ctx, c, owner, kind, matching, candidates)
	slices.SortFunc(all, func(a, b *appsv1.ControllerRevision) int {
		return cmp.Or(cmp.Compare(a.Revision, b.Revision), a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return all, err
}

func pointers(items []appsv1.ControllerRevision) []*appsv1.ControllerRevision {
	all := make([]*appsv1.ControllerRevision, len(items))
	for i := range items {
		all[i] = &items[i]
	}
	return all
}

// Patch is what a revision holds: the patch that puts owner's spec.template back, as kubectl rollout undo applies it.
func Patch(owner client.Object) (runtime.RawExtension, error) {
	text, err := json.Marshal(owner)
	if err != nil {
		return runtime.RawExtension{}, err
	}
	var o struct {
		Spec struct {
			Template map[string]any `json:"template"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(text, &o); err != nil {
		return runtime.RawExtension{}, err
	}
	o.Spec.Template["$patch"] = "replace"
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": o.Spec.Template}})
	return runtime.RawExtension{Raw: patch}, err
}

// Same compares what two revisions hold.
func Same(a, b runtime.RawExtension) bool {
	var left, right any
	if json.Unmarshal(a.Raw, &left) != nil || json.Unmarshal(b.Raw, &right) != nil {
		return false
	}
	return reflect.DeepEqual(left, right)
}

// Ensure makes wanted the newest of the owner's revisions, existing, which are in order: it creates it, or raises the
// number of the one that holds the same. The result is the current revision, and the others.
func Ensure(ctx context.Context, c client.Client, wanted *appsv1.ControllerRevision, existing []*appsv1.ControllerRevision) (
	current *appsv1.ControllerRevision, old []*appsv1.ControllerRevision, err error) {
	var last int64
	for _, revision := range existing {
		if Same(revision.Data, wanted.Data) {
			// Of several, the newest is the one that Pods carry.
			if current != nil {
				old = append(old, current)
			}
			current = revision
			continue
		}
		old = append(old, revision)
		last = max(last, revision.Revision)
	}
	if current == nil {
		wanted.Revision = last + 1
		current, err = create(ctx, c, wanted)
		return current, old, err
	}
	if current.Revision <= last {
		current = current.DeepCopy()
		current.Revision = last + 1
		if err := c.Update(ctx, current); err != nil {
			return nil, nil, fmt.Errorf("updating revision %s: %w", client.ObjectKeyFromObject(current), err)
		}
	}
	return current, old, nil
}

// create takes one that has the name and holds the same for the one wanted, whoever controls it: it may be on its way to
// have no owner, or to go. Only different contents are a collision, which Pods would have to be made anew for.
func create(ctx context.Context, c client.Client, wanted *appsv1.ControllerRevision) (*appsv1.ControllerRevision, error) {
	key := client.ObjectKeyFromObject(wanted)
	err := c.Create(ctx, wanted)
	if err == nil {
		return wanted, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return nil, fmt.Errorf("creating revision %s: %w", key, err)
	}
	var there appsv1.ControllerRevision
	if err := c.Get(ctx, key, &there); err != nil {
		return nil, fmt.Errorf("reading revision %s, which is there already: %w", key, err)
	}
	if !Same(there.Data, wanted.Data) {
		return nil, ErrCollision
	}
	return &there, nil
}

// Truncate deletes the oldest of old beyond limit, but none for which live is true.
func Truncate(ctx context.Context, c client.Client, old []*appsv1.ControllerRevision, limit int, live func(*appsv1.ControllerRevision) bool) error {
	dead := slices.DeleteFunc(slices.Clone(old), live)
	surplus := len(dead) - limit
	for i := 0; i < surplus; i++ {
		if err := c.Delete(ctx, dead[i]); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting revision %s: %w", client.ObjectKeyFromObject(dead[i]), err)
		}
	}
	return nil
}
