// Package selected wakes the Services that select a Pod.
package selected

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/endpointslice/util"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// OnPod wakes the Services that select a Pod, before or after, if the change can matter to them.
func OnPod(reader client.Reader) handler.EventHandler {
	wake := func(ctx context.Context, old, now any, q queue) {
		services, err := util.GetServicesToUpdate(serviceLister{reader: reader}, util.GetPodUpdateProjectionKey(old, now))
		if err != nil {
			klog.FromContext(ctx).Error(err, "Listing the services of a pod")
			return
		}
		for service := range services {
			Enqueue(service, q)
		}
	}
	return loop.Guarded(handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) { wake(ctx, nil, e.Object, q) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) { wake(ctx, e.ObjectOld, e.ObjectNew, q) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { wake(ctx, e.Object, nil, q) },
	})
}

// Enqueue adds the Service with the key, namespace/name.
func Enqueue(key string, q queue) {
	if namespace, name, err := cache.SplitMetaNamespaceKey(key); err == nil {
		q.Add(loop.Request(namespace, name))
	}
}

type serviceLister struct {
	corelisters.ServiceLister
	reader client.Reader
}

func (l serviceLister) Services(namespace string) corelisters.ServiceNamespaceLister {
	return servicesIn{reader: l.reader, namespace: namespace}
}

type servicesIn struct {
	corelisters.ServiceNamespaceLister
	reader    client.Reader
	namespace string
}

func (l servicesIn) List(selector labels.Selector) ([]*corev1.Service, error) {
	var list corev1.ServiceList
	err := l.reader.List(context.Background(), &list, client.InNamespace(l.namespace), client.MatchingLabelsSelector{Selector: selector})
	if err != nil {
		return nil, err
	}
	return pointers(list.Items), nil
}

func pointers(items []corev1.Service) []*corev1.Service {
	all := make([]*corev1.Service, len(items))
	for i := range items {
		all[i] = &items[i]
	}
	return all
}
