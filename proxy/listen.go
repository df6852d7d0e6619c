package proxy

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
)

// feed is a handler that an informer calls.
type feed struct {
	informer     cache.SharedIndexInformer
	registration cache.ResourceEventHandlerRegistration
}

// unlisten leaves the informers, which may outlive the proxy.
func (p *Proxy) unlisten() {
	for _, f := range p.feeds {
		if err := f.informer.RemoveEventHandler(f.registration); err != nil {
			klog.Background().Error(err, "Leaving an informer")
		}
	}
}

// listen feeds the tracker from the informers.
func (p *Proxy) listen() error {
	t, v1 := p.tracker, p.cfg.Informers.Core().V1()
	for _, source := range []struct {
		informer cache.SharedIndexInformer
		handler  cache.ResourceEventHandler
	}{
		{v1.Services().Informer(), handler(t.SetService, func(s *corev1.Service) {
			t.RemoveService(types.NamespacedName{Namespace: s.Namespace, Name: s.Name})
		})},
		{p.cfg.Informers.Discovery().V1().EndpointSlices().Informer(), sliceHandler(t.SetSlice, t.RemoveSlice)},
		{v1.Nodes().Informer(), handler(p.setNode, p.removeNode)},
		{v1.Pods().Informer(), handler(t.SetPod, func(pod *corev1.Pod) { t.RemovePod(pod.UID) })},
	} {
		registration, err := source.informer.AddEventHandler(source.handler)
		if err != nil {
			return err
		}
		p.feeds = append(p.feeds, feed{source.informer, registration})
		p.synced = append(p.synced, registration.HasSyncedChecker())
	}
	return nil
}

func (p *Proxy) setNode(node *corev1.Node) {
	p.tracker.SetNode(node)
	if node.Name == p.cfg.NodeName {
		p.rules.SetNode(node)
	}
}

func (p *Proxy) removeNode(node *corev1.Node) {
	p.tracker.RemoveNode(node.Name)
	if node.Name == p.cfg.NodeName {
		p.rules.SetNode(nil)
	}
}

// heard names the handlers' work where one panics: of the object in question less is known then, of others nothing is lost.
const heard = "hearing of Services"

func handler[T comparable](set, remove func(T)) cache.ResourceEventHandlerFuncs {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) {
			if o, ok := object.(T); ok {
				guard.Insist(heard, func() { set(o) })
			}
		},
		UpdateFunc: func(old, object any) {
			if o, ok := object.(T); ok && old != object {
				guard.Insist(heard, func() { set(o) })
			}
		},
		DeleteFunc: func(object any) {
			if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = tombstone.Obj
			}
			if o, ok := object.(T); ok {
				guard.Insist(heard, func() { remove(o) })
			}
		},
	}
}

// sliceHandler also takes a slice from a Service when it changes hands.
func sliceHandler(set, remove func(*discoveryv1.EndpointSlice)) cache.ResourceEventHandlerFuncs {
	h := handler(set, remove)
	update := h.UpdateFunc
	h.UpdateFunc = func(old, object any) {
		before, ok := old.(*discoveryv1.EndpointSlice)
		after, also := object.(*discoveryv1.EndpointSlice)
		if ok && also && before.Labels[discoveryv1.LabelServiceName] != after.Labels[discoveryv1.LabelServiceName] {
			guard.Insist(heard, func() { remove(before) })
		}
		update(old, object)
	}
	return h
}
