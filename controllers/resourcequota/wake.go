package resourcequota

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	quota "k8s.io/apiserver/pkg/quota/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/guard"
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// onQuota measures a quota at once when it asks for something else, and a while after its usage was written.
func (r *controller) onQuota() handler.EventHandler {
	return loop.Guarded(handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { q.Add(request(e.Object)) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			old, now := e.ObjectOld.(*corev1.ResourceQuota), e.ObjectNew.(*corev1.ResourceQuota)
			switch {
			case !apiequality.Semantic.DeepEqual(old.Spec, now.Spec):
				q.Add(request(now))
			case !apiequality.Semantic.DeepEqual(old.Status, now.Status):
				r.charges.note(client.ObjectKeyFromObject(now), r.now())
				q.AddAfter(request(now), settle)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, _ queue) {
			r.charges.forget(client.ObjectKeyFromObject(e.Object))
		},
	})
}

func request(o client.Object) reconcile.Request { return loop.Request(o.GetNamespace(), o.GetName()) }

// charges is when usage of each quota was last written. A queue keeps one timer for a quota, the earliest: when that
// ends, a later charge may still be on its way, so it is asked here what else there is to wait for.
type charges struct {
	lock sync.Mutex
	last map[client.ObjectKey]time.Time
}

func (c *charges) note(q client.ObjectKey, now time.Time) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.last == nil {
		c.last = map[client.ObjectKey]time.Time{}
	}
	c.last[q] = now
}

func (c *charges) forget(q client.ObjectKey) {
	c.lock.Lock()
	defer c.lock.Unlock()
	delete(c.last, q)
}

// settledIn is how long it is until the last charge has settled; zero if it has.
func (c *charges) settledIn(q client.ObjectKey, now time.Time) time.Duration {
	c.lock.Lock()
	defer c.lock.Unlock()
	last, noted := c.last[q]
	if !noted {
		return 0
	}
	left := last.Add(settle).Sub(now)
	if left <= 0 {
		delete(c.last, q)
	}
	return max(0, left)
}

// samePod reports whether a Pod uses the same of the same quotas: a deadline moves it from one to another.
func (r *controller) samePod(old, now client.Object) bool {
	before, after, at := old.(*corev1.Pod), now.(*corev1.Pod), r.now()
	return (before.Spec.ActiveDeadlineSeconds == nil) == (after.Spec.ActiveDeadlineSeconds == nil) &&
		quota.Equals(core.PodUsage(before, at), core.PodUsage(after, at))
}

func sameService(old, now client.Object) bool {
	return quota.Equals(core.ServiceUsage(old.(*corev1.Service)), core.ServiceUsage(now.(*corev1.Service)))
}

// sameClaim: a VolumeAttributesClass can be a quota's scope.
func sameClaim(old, now client.Object) bool {
	before, after := old.(*corev1.PersistentVolumeClaim), now.(*corev1.PersistentVolumeClaim)
	return slices.Equal(core.AttributesClasses(before), core.AttributesClasses(after)) &&
		quota.Equals(core.ClaimUsage(before), core.ClaimUsage(after))
}

// quotas wakes all quotas of an object's namespace when it is gone or uses something else. What is new, admission has
// charged.
func quotas(c client.Reader, same func(old, now client.Object) bool) handler.EventHandler {
	return loop.Guarded(handler.Funcs{
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			requests := in(ctx, c, e.ObjectNew.GetNamespace())
			if len(requests) == 0 || same(e.ObjectOld, e.ObjectNew) {
				return
			}
			addAllTo(q, requests)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) {
			addAllTo(q, in(ctx, c, e.Object.GetNamespace()))
		},
	})
}

func in(ctx context.Context, c client.Reader, namespace string) []reconcile.Request {
	var list corev1.ResourceQuotaList
	if err := c.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		klog.FromContext(ctx).Error(err, "Listing quotas", "namespace", namespace)
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		requests = append(requests, loop.Request(namespace, list.Items[i].Name))
	}
	return requests
}

func addAllTo(q queue, requests []reconcile.Request) {
	for _, request := range requests {
		q.Add(request)
	}
}

// watch wakes the quotas of a namespace from now on when an object of the kind is gone from it, or is seen for the first
// time because the kind was not served before. Only the metadata of such objects is held. It fails if they cannot be
// listed until ctx ends: others must not wait for what may never come.
func (r *controller) watch(ctx context.Context, kind schema.GroupVersionKind) error {
	informer, err := r.informer(ctx, kind)
	if err != nil {
		return fmt.Errorf("watching %s: %w", kind, err)
	}
	if !informer.HasSynced() && !toolscache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return fmt.Errorf("watching %s: it could not be listed yet", kind)
	}
	return nil
}

func (r *controller) informer(ctx context.Context, kind schema.GroupVersionKind) (cache.Informer, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if running := r.watched[kind]; running != nil && !running.IsStopped() {
		return running, nil
	}
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(kind)
	informer, err := r.cache.GetInformer(ctx, object, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, err
	}
	wake := func(o any) {
		guard.Insist("waking quotas", func() {
			if object, ok := o.(metav1.Object); ok {
				addAllTo(r.queue, in(context.Background(), r.client, object.GetNamespace()))
			}
		})
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(o any, first bool) {
			if first {
				wake(o)
			}
		},
		DeleteFunc: func(o any) {
			if unknown, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
				o = unknown.Obj
			}
			wake(o)
		},
	})
	if err != nil {
		return nil, err
	}
	r.watched[kind] = informer
	return informer, nil
}
