package endpointslice

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/controllers/selected"
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// nodes is the request to look at all Nodes again. It waits in the queue once, however many of them come at a time.
var nodes reconcile.Request

// onNode has the shares of zones brought up to date.
func (r *controller) onNode() handler.EventHandler {
	wake := func(q queue) {
		r.queued.Do(func() { r.queue = q })
		q.Add(nodes)
	}
	return loop.Guarded(handler.Funcs{
		CreateFunc: func(_ context.Context, _ event.CreateEvent, q queue) { wake(q) },
		DeleteFunc: func(_ context.Context, _ event.DeleteEvent, q queue) { wake(q) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			old, now := e.ObjectOld.(*corev1.Node), e.ObjectNew.(*corev1.Node)
			if core.NodeReady(old) != core.NodeReady(now) || zone(old) != zone(now) {
				wake(q)
			}
		},
	})
}

// refresh counts the Nodes of each zone again, and wakes the Services whose hints no longer fit.
func (r *controller) refresh(ctx context.Context) error {
	var list corev1.NodeList
	if err := r.client.List(ctx, &list); err != nil {
		return fmt.Errorf("listing nodes: %w", err)
	}
	r.topology.SetNodes(klog.FromContext(ctx), pointers(list.Items))
	for _, service := range r.topology.GetOverloadedServices() {
		selected.Enqueue(service, r.queue)
	}
	return nil
}

func zone(node *corev1.Node) string { return node.Labels[corev1.LabelTopologyZone] }

// onSlice wakes a Service some time after another than this controller has changed one of its slices.
func (r *controller) onSlice() handler.EventHandler {
	wake := func(o client.Object, q queue) {
		if request, ok := serviceOf(o.(*discoveryv1.EndpointSlice)); ok {
			q.AddAfter(request, foreignChanges)
		}
	}
	return loop.Guarded(handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) {
			if slice := e.Object.(*discoveryv1.EndpointSlice); r.slices.ManagedByController(slice) && r.tracker.ShouldSync(slice) {
				wake(slice, q)
			}
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			old, now := e.ObjectOld.(*discoveryv1.EndpointSlice), e.ObjectNew.(*discoveryv1.EndpointSlice)
			switch {
			case old.Labels[discoveryv1.LabelServiceName] != now.Labels[discoveryv1.LabelServiceName]:
				wake(old, q)
				wake(now, q)
			case r.slices.ManagedByChanged(old, now), r.slices.ManagedByController(now) && r.tracker.ShouldSync(now):
				wake(now, q)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) {
			slice := e.Object.(*discoveryv1.EndpointSlice)
			mine := r.slices.ManagedByController(slice) && r.tracker.Has(slice)
			if mine && !r.tracker.HandleDeletion(slice) {
				wake(slice, q)
			}
		},
	})
}
