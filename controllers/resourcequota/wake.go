package resourcequota

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// onQuota measures a quota at once when it asks for something else, and a while after its usage was written.
func onQuota() handler.EventHandler {
	request := func(o client.Object) reconcile.Request { return loop.Request(o.GetNamespace(), o.GetName()) }
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { q.Add(request(e.Object)) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			old, now := e.ObjectOld.(*corev1.ResourceQuota), e.ObjectNew.(*corev1.ResourceQuota)
			switch {
			case !apiequality.Semantic.DeepEqual(old.Spec, now.Spec):
				q.Add(request(now))
			case !apiequality.Semantic.DeepEqual(old.Status, now.Status):
				q.AddAfter(request(now), settle)
			}
		},
	}
}

// quotas wakes all quotas of an object's namespace when it is gone or uses something else. What is new, admission has
// charged.
func quotas(c client.Reader, same func(old, now client.Object) bool) handler.EventHandler {
	return handler.Funcs{
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
	}
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

// watch wakes the quotas of a namespace from now on when an object of the kind is gone from it. Only the metadata of
// such objects is held.
func (r *controller) watch(ctx context.Context, kind schema.GroupVersionKind) error {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.watched[kind] {
		return nil
	}
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(kind)
	informer, err := r.cache.GetInformer(ctx, object, cache.BlockUntilSynced(true))
	if err != nil {
		return fmt.Errorf("watching %s: %w", kind, err)
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{DeleteFunc: func(o any) {
		if unknown, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
			o = unknown.Obj
		}
		if gone, ok := o.(metav1.Object); ok {
			addAllTo(r.queue, in(context.Background(), r.client, gone.GetNamespace()))
		}
	}})
	if err != nil {
		return fmt.Errorf("watching %s: %w", kind, err)
	}
	r.watched[kind] = true
	return nil
}
