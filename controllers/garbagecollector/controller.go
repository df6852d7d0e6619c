// Package garbagecollector deletes objects whose owners are gone, and carries out foreground and orphaning deletion.
//
// It keeps a graph of the metadata of all objects of all resources that can be deleted and watched. The graph only says
// where to look: nothing is deleted before the server itself has confirmed that the owners are gone.
package garbagecollector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/lru"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "generic-garbage-collector"

	workers     = 20
	firstRetry  = 5 * time.Millisecond
	lastRetry   = 1000 * time.Second
	absentOwner = 500
)

type controller struct {
	graph    *graph
	objects  objects
	recorder events.EventRecorder
	// absent remembers owners that do not exist, for the many dependents that one may have.
	absent *lru.Cache
	queue  workqueue.TypedRateLimitingInterface[types.UID]
}

// Register puts the controller on the manager. It wakes by metadata of every resource that can be deleted, listed and
// watched, custom ones included as they come and go.
func Register(mgr manager.Manager, resources discovery.DiscoveryInterface, client metadata.Interface, recorder events.EventRecorder) error {
	r := &controller{
		graph: newGraph(), recorder: recorder, absent: lru.New(absentOwner),
		objects: objects{client: client, mapper: mgr.GetRESTMapper()},
	}
	c, err := ctrl.NewTyped(Name, mgr, ctrl.TypedOptions[types.UID]{
		SkipNameValidation:      ptr.To(true),
		RecoverPanic:            ptr.To(true),
		MaxConcurrentReconciles: workers,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[types.UID](firstRetry, lastRetry),
		NewQueue:                loop.NewQueue[types.UID],
		Reconciler:              loop.Contained(Name, r),
	})
	if err != nil {
		return err
	}
	return c.Watch(newMonitors(mgr.GetCache(), resources, r))
}

var _ source.TypedSyncingSource[types.UID] = (*monitors)(nil)

func (r *controller) observed(kind schema.GroupVersionKind, o metav1.Object) {
	r.wake(r.graph.observe(newVertex(kind, o)))
}

func (r *controller) gone(id identity) {
	wake := r.graph.forget(id.uid)
	if len(wake) > 0 {
		r.absent.Add(id, nil)
	}
	r.wake(wake)
}

func (r *controller) wake(uids []types.UID) {
	for _, uid := range uids {
		r.queue.Add(uid)
	}
}

// Reconcile implements reconcile.TypedReconciler for the object with the UID.
func (r *controller) Reconcile(ctx context.Context, uid types.UID) (reconcile.Result, error) {
	v, dependents := r.graph.get(uid)
	var err error
	switch {
	case v == nil:
		return reconcile.Result{}, nil
	case v.orphaning:
		err = r.orphan(ctx, v, dependents)
	case v.foreground:
		err = r.finishForeground(ctx, v, dependents)
	case v.deleting || r.wellOwned(v):
		return reconcile.Result{}, nil
	default:
		err = r.judge(ctx, v, dependents)
	}
	switch {
	case apierrors.IsNotFound(err):
		// Its deletion event may never come: it may have been observed after it.
		r.gone(v.identity)
		return reconcile.Result{}, nil
	case apierrors.IsConflict(err):
		return reconcile.Result{RequeueAfter: firstRetry}, nil
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("collecting %s %s/%s: %w", v.kind.GroupKind(), v.namespace, v.name, err)
	}
	return reconcile.Result{}, nil
}

// wellOwned reports whether the graph knows every owner, and none that goes.
func (r *controller) wellOwned(v *vertex) bool {
	return !slices.ContainsFunc(v.owners, func(ref metav1.OwnerReference) bool {
		owner, _ := r.graph.owner(ref, v.namespace)
		return owner == nil || owner.foreground
	})
}

// judge looks at an object that has lost an owner, or seems to have.
func (r *controller) judge(ctx context.Context, v *vertex, dependents []*vertex) error {
	latest, err := r.latest(ctx, v)
	if err != nil {
		return err
	}
	if latest.DeletionTimestamp != nil {
		return nil
	}
	refs := owners{}
	for _, ref := range latest.OwnerReferences {
		s, err := r.standing(ctx, v, ref)
		if errors.Is(err, errScope) {
			return nil
		}
		if err != nil {
			return err
		}
		refs[s] = append(refs[s], ref)
	}
	verdict := decide(refs, latest.Finalizers, dependents)
	if len(verdict.dropOwners) > 0 {
		kept := without(latest.OwnerReferences, verdict.dropOwners)
		return r.objects.change(ctx, v.identity, latest, map[string]any{"ownerReferences": kept})
	}
	if verdict.delete == "" {
		return nil
	}
	version := &latest.ResourceVersion
	if verdict.unblock {
		free := unblocked(latest.OwnerReferences)
		if err := r.objects.change(ctx, v.identity, latest, map[string]any{"ownerReferences": free}); err != nil {
			return err
		}
		version = nil
	}
	return r.objects.delete(ctx, v.identity, version, verdict.delete)
}

// latest reads the object from the server; another one of its name counts as not found.
func (r *controller) latest(ctx context.Context, v *vertex) (*metav1.PartialObjectMetadata, error) {
	latest, err := r.objects.get(ctx, v.identity)
	if err == nil && latest.UID != v.uid {
		return nil, apierrors.NewNotFound(schema.GroupResource{Group: v.kind.Group, Resource: v.kind.Kind}, v.name)
	}
	return latest, err
}

// errScope is a cluster-wide object's reference to a kind that lives in namespaces: nothing can be said of that owner.
var errScope = errors.New("cluster-scoped objects cannot refer to namespaced owners")

// standing finds out about an owner, from the graph if that knows it, from the server if not.
func (r *controller) standing(ctx context.Context, v *vertex, ref metav1.OwnerReference) (standing, error) {
	owner, foreign := r.graph.owner(ref, v.namespace)
	switch {
	case owner != nil && owner.foreground:
		return waiting, nil
	case owner != nil:
		return solid, nil
	case foreign:
		r.tellForeign(v, ref)
	}
	gv, err := schema.ParseGroupVersion(ref.APIVersion)
	if err != nil {
		return solid, err
	}
	id := identity{kind: gv.WithKind(ref.Kind), namespace: v.namespace, name: ref.Name, uid: ref.UID}
	if r.knownAbsent(id) {
		return dangling, nil
	}
	resource, namespaced, err := r.objects.at(id.kind, id.namespace)
	if err != nil {
		return solid, err
	}
	if namespaced && v.namespace == "" {
		return solid, errScope
	}
	if !namespaced {
		id.namespace = ""
	}
	found, err := resource.Get(ctx, id.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err), err == nil && found.UID != id.uid:
		r.absent.Add(id, nil)
		return dangling, nil
	case err != nil:
		return solid, fmt.Errorf("reading its owner %s %s: %w", id.kind.GroupKind(), id.name, err)
	case newVertex(id.kind, found).foreground:
		return waiting, nil
	}
	return solid, nil
}

// knownAbsent asks for the owner in the object's namespace and among cluster-wide ones.
func (r *controller) knownAbsent(id identity) bool {
	if _, absent := r.absent.Get(id); absent {
		return true
	}
	id.namespace = ""
	_, absent := r.absent.Get(id)
	return absent
}

func (r *controller) tellForeign(v *vertex, ref metav1.OwnerReference) {
	about := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: v.namespace, Name: v.name, UID: v.uid}}
	about.SetGroupVersionKind(v.kind)
	r.recorder.Eventf(about, nil, corev1.EventTypeWarning, "OwnerRefInvalidNamespace", "Collect",
		"ownerRef [%s/%s, namespace: %s, name: %s, uid: %s] does not exist in namespace %q",
		ref.APIVersion, ref.Kind, v.namespace, ref.Name, ref.UID, v.namespace)
}

// finishForeground lets an object go when nothing blocks it any more, and else sees to what does.
func (r *controller) finishForeground(ctx context.Context, v *vertex, dependents []*vertex) error {
	blocking := blockers(v.uid, dependents)
	for _, dependent := range blocking {
		if !dependent.foreground {
			r.queue.Add(dependent.uid)
		}
	}
	if len(blocking) > 0 {
		return nil
	}
	return r.removeFinalizer(ctx, v, metav1.FinalizerDeleteDependents)
}

// orphan takes the object out of its dependents' owners, then lets it go.
func (r *controller) orphan(ctx context.Context, v *vertex, dependents []*vertex) error {
	var errs []error
	for _, dependent := range dependents {
		latest, err := r.latest(ctx, dependent)
		if err == nil {
			kept := without(latest.OwnerReferences, []types.UID{v.uid})
			if len(kept) == len(latest.OwnerReferences) {
				continue
			}
			err = r.objects.change(ctx, dependent.identity, latest, map[string]any{"ownerReferences": kept})
		}
		if err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("orphaning %s %s/%s: %w", dependent.kind.GroupKind(), dependent.namespace, dependent.name, err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return r.removeFinalizer(ctx, v, metav1.FinalizerOrphanDependents)
}

func (r *controller) removeFinalizer(ctx context.Context, v *vertex, finalizer string) error {
	latest, err := r.latest(ctx, v)
	if err != nil || !slices.Contains(latest.Finalizers, finalizer) {
		return err
	}
	kept := slices.DeleteFunc(slices.Clone(latest.Finalizers), func(f string) bool { return f == finalizer })
	return r.objects.change(ctx, v.identity, latest, map[string]any{"finalizers": kept})
}
