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
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/coracle-k8s/coracle/controllers/owned"
)

// ErrCollision is that a revision's name is taken by another: its owner must count it, and choose the next name.
var ErrCollision = errors.New("the name of the revision is taken")

// List returns the revisions that owner controls, oldest first. They are shared: read only.
func List(ctx context.Context, c client.Reader, owner client.Object) ([]*appsv1.ControllerRevision, error) {
	var list appsv1.ControllerRevisionList
	if err := owned.List(ctx, c, &list, owner); err != nil {
		return nil, fmt.Errorf("listing revisions of %s: %w", client.ObjectKeyFromObject(owner), err)
	}
	all := make([]*appsv1.ControllerRevision, len(list.Items))
	for i := range list.Items {
		all[i] = &list.Items[i]
	}
	slices.SortFunc(all, func(a, b *appsv1.ControllerRevision) int {
		return cmp.Or(cmp.Compare(a.Revision, b.Revision), a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return all, nil
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
		err := c.Create(ctx, wanted)
		if apierrors.IsAlreadyExists(err) {
			return nil, nil, ErrCollision
		}
		if err != nil {
			return nil, nil, fmt.Errorf("creating revision %s: %w", client.ObjectKeyFromObject(wanted), err)
		}
		return wanted, old, nil
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
