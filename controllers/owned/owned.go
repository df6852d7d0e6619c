// Package owned finds, adopts and releases the objects that a controller's object owns.
package owned

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// byController is the index of objects by the UID of their controller. Objects without one stand under orphan.
const (
	byController = "controllerUID"
	orphan       = "none"
)

// AddIndexes indexes every kind that has a controlling owner by it. Call once for each manager, before any informer
// is started.
func AddIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, kind := range []client.Object{&corev1.Pod{}, &appsv1.ReplicaSet{}, &appsv1.ControllerRevision{}, &batchv1.Job{}} {
		if err := indexer.IndexField(ctx, kind, byController, controllerUID); err != nil {
			return fmt.Errorf("indexing %T by controller: %w", kind, err)
		}
	}
	return nil
}

func controllerUID(o client.Object) []string {
	if owner := metav1.GetControllerOfNoCopy(o); owner != nil {
		return []string{string(owner.UID)}
	}
	return []string{orphan}
}

// List fills list with the objects in owner's namespace that owner controls. They are shared: read only.
func List(ctx context.Context, c client.Reader, list client.ObjectList, owner client.Object) error {
	return listUnder(ctx, c, list, owner.GetNamespace(), string(owner.GetUID()))
}

// Orphans fills list with the objects in the namespace that have no controller. They are shared: read only.
func Orphans(ctx context.Context, c client.Reader, list client.ObjectList, namespace string) error {
	return listUnder(ctx, c, list, namespace, orphan)
}

func listUnder(ctx context.Context, c client.Reader, list client.ObjectList, namespace, value string) error {
	return c.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{byController: value})
}

// Claim decides which of the candidates, those that owner controls and those that nobody does, are owner's: it adopts
// matching orphans and releases what no longer matches. The result holds what owner controls now; adopted objects are
// copies at their new version. Objects for which it lost a race are left out without an error. The finalizers come
// and go with the owner.
//
// https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#non-template-pod-acquisitions
func Claim[T client.Object](ctx context.Context, c client.Client, owner client.Object, kind schema.GroupVersionKind,
	selector labels.Selector, candidates []T, finalizers ...string) ([]T, error) {
	claim := claimer{client: c, owner: owner, kind: kind, finalizers: finalizers}
	var mine []T
	var errs []error
	for _, o := range candidates {
		ref := metav1.GetControllerOfNoCopy(o)
		matches := selector.Matches(labels.Set(o.GetLabels()))
		switch {
		case ref != nil && ref.UID != owner.GetUID():
		case ref != nil && matches:
			mine = append(mine, o)
		case owner.GetDeletionTimestamp() != nil:
		case ref != nil:
			errs = append(errs, claim.release(ctx, o))
		case matches && o.GetDeletionTimestamp() == nil:
			adopted := o.DeepCopyObject().(T)
			ok, err := claim.adopt(ctx, adopted)
			if ok {
				mine = append(mine, adopted)
			}
			errs = append(errs, err)
		}
	}
	return mine, errors.Join(errs...)
}

type claimer struct {
	client  client.Client
	owner   client.Object
	kind    schema.GroupVersionKind
	checked bool

	finalizers []string
}

// ownerPatch is a strategic merge patch.
type ownerPatch struct {
	Metadata struct {
		UID             types.UID `json:"uid"`
		OwnerReferences []any     `json:"ownerReferences"`
		Finalizers      []string  `json:"finalizers,omitempty"`
		NoFinalizers    []string  `json:"$deleteFromPrimitiveList/finalizers,omitempty"`
	} `json:"metadata"`
}

func (c *claimer) adopt(ctx context.Context, o client.Object) (bool, error) {
	if err := c.ownerLives(ctx); err != nil {
		return false, fmt.Errorf("adopting %T %s: %w", o, client.ObjectKeyFromObject(o), err)
	}
	var patch ownerPatch
	patch.Metadata.OwnerReferences = []any{Reference(c.owner, c.kind)}
	patch.Metadata.Finalizers = c.finalizers
	return c.apply(ctx, o, patch)
}

func (c *claimer) release(ctx context.Context, o client.Object) error {
	var patch ownerPatch
	patch.Metadata.OwnerReferences = []any{map[string]any{"$patch": "delete", "uid": c.owner.GetUID()}}
	patch.Metadata.NoFinalizers = c.finalizers
	_, err := c.apply(ctx, o.DeepCopyObject().(client.Object), patch)
	return err
}

// apply patches the object, provided that it is still the one with that UID.
func (c *claimer) apply(ctx context.Context, o client.Object, patch ownerPatch) (bool, error) {
	patch.Metadata.UID = o.GetUID()
	body, err := json.Marshal(patch)
	if err != nil {
		return false, err
	}
	err = c.client.Patch(ctx, o, client.RawPatch(types.StrategicMergePatchType, body))
	// Not found, or invalid for another UID: the object is gone.
	if apierrors.IsNotFound(err) || apierrors.IsInvalid(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("changing the owner of %T %s: %w", o, client.ObjectKeyFromObject(o), err)
	}
	return true, nil
}

// ownerLives makes sure once, with the server itself, that the owner is not being deleted: what it adopted then would
// be deleted with it. Unstructured reads are not served from the cache.
func (c *claimer) ownerLives(ctx context.Context) error {
	if c.checked {
		return nil
	}
	current := &unstructured.Unstructured{}
	current.SetGroupVersionKind(c.kind)
	if err := c.client.Get(ctx, client.ObjectKeyFromObject(c.owner), current); err != nil {
		return fmt.Errorf("reading its owner again: %w", err)
	}
	if current.GetUID() != c.owner.GetUID() || current.GetDeletionTimestamp() != nil {
		return fmt.Errorf("its owner %s is gone", client.ObjectKeyFromObject(c.owner))
	}
	c.checked = true
	return nil
}

// Reference is the owner reference of a controlling owner of the given kind.
func Reference(owner client.Object, kind schema.GroupVersionKind) metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion: kind.GroupVersion().String(), Kind: kind.Kind, Name: owner.GetName(), UID: owner.GetUID(),
		Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true),
	}
}
