package garbagecollector

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/coracle-k8s/coracle/guard"
)

const (
	// settle is how long after a change of what is served discovery is asked: one change seldom comes alone.
	settle = 500 * time.Millisecond
	// again is when it is asked once more, for what was served a little late; and after a failure.
	again = 10 * time.Second
	// patience is how long the first look at all objects may keep the collector from its work.
	patience = 30 * time.Second

	// observing names the work of informers' handlers.
	observing = "garbage collector's informer handler"
)

// monitors watch the metadata of all collected resources. It is the controller's source.
type monitors struct {
	cache     cache.Cache
	resources discovery.DiscoveryInterface
	to        *controller

	lock    sync.Mutex
	running map[schema.GroupVersionKind]toolscache.ResourceEventHandlerRegistration
	changed chan struct{}
	first   chan struct{}
	begun   sync.Once
}

func newMonitors(c cache.Cache, resources discovery.DiscoveryInterface, to *controller) *monitors {
	return &monitors{
		cache: c, resources: resources, to: to,
		running: map[schema.GroupVersionKind]toolscache.ResourceEventHandlerRegistration{},
		changed: make(chan struct{}, 1), first: make(chan struct{}),
	}
}

// Start implements source.TypedSource.
func (m *monitors) Start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[types.UID]) error {
	m.to.queue = queue
	guard.GoKeep(ctx, "following what is served", m.follow)
	return nil
}

// String implements fmt.Stringer for controller-runtime's logs.
func (m *monitors) String() string { return "metadata of all resources" }

// WaitForSync implements source.TypedSyncingSource. It gives up waiting after a while without an error: a resource that
// cannot be listed must not keep the others from being collected, and owners are looked up on the server anyway.
func (m *monitors) WaitForSync(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-m.first:
	case <-ctx.Done():
		return nil
	}
	m.lock.Lock()
	var synced []toolscache.InformerSynced
	for _, registration := range m.running {
		synced = append(synced, registration.HasSynced)
	}
	m.lock.Unlock()
	toolscache.WaitForCacheSync(ctx.Done(), synced...)
	return nil
}

// follow keeps the monitors as discovery says, whenever that may say something else.
func (m *monitors) follow(ctx context.Context) {
	late := time.NewTimer(again)
	defer late.Stop()
	for first := true; ; first = false {
		if err := m.sync(ctx); err != nil {
			klog.FromContext(ctx).Error(err, "Finding out which resources to collect")
			late.Reset(again)
		}
		if first {
			m.begun.Do(func() { close(m.first) })
		}
		select {
		case <-m.changed:
			late.Reset(again)
			select {
			case <-time.After(settle):
			case <-ctx.Done():
				return
			}
		case <-late.C:
		case <-ctx.Done():
			return
		}
	}
}

// sync starts what is missing and stops what is not served any more. Resources of a group that failed to be discovered
// stay as they are.
func (m *monitors) sync(ctx context.Context) error {
	lists, err := m.resources.ServerPreferredResources()
	failed, partly := discovery.GroupDiscoveryFailedErrorGroups(err)
	if err != nil && !partly {
		return fmt.Errorf("discovering resources: %w", err)
	}
	wanted := collectable(lists)
	if len(wanted) == 0 {
		return fmt.Errorf("discovering resources: none found")
	}
	m.lock.Lock()
	defer m.lock.Unlock()
	for kind := range m.running {
		if _, failed := failed[kind.GroupVersion()]; failed || wanted[kind] {
			continue
		}
		if err := m.cache.RemoveInformer(ctx, object(kind)); err != nil {
			return fmt.Errorf("stopping to watch %s: %w", kind, err)
		}
		delete(m.running, kind)
	}
	for kind := range wanted {
		if m.running[kind] != nil {
			continue
		}
		registration, err := m.monitor(ctx, kind)
		if err != nil {
			return fmt.Errorf("watching %s: %w", kind, err)
		}
		m.running[kind] = registration
	}
	return err
}

// collectable are the kinds whose objects can have owners or dependents and be collected. Events cannot: they are many,
// short-lived, and nobody's.
func collectable(lists []*metav1.APIResourceList) map[schema.GroupVersionKind]bool {
	verbs := discovery.SupportsAllVerbs{Verbs: []string{"delete", "list", "watch"}}
	kinds := map[schema.GroupVersionKind]bool{}
	for _, list := range discovery.FilteredBy(verbs, lists) {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for _, resource := range list.APIResources {
			if resource.Name == "events" && (gv.Group == "" || gv.Group == "events.k8s.io") {
				continue
			}
			kinds[gv.WithKind(resource.Kind)] = true
		}
	}
	return kinds
}

func object(kind schema.GroupVersionKind) *metav1.PartialObjectMetadata {
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(kind)
	return o
}

func (m *monitors) monitor(ctx context.Context, kind schema.GroupVersionKind) (toolscache.ResourceEventHandlerRegistration, error) {
	informer, err := m.cache.GetInformer(ctx, object(kind), cache.BlockUntilSynced(false))
	if err != nil {
		return nil, err
	}
	changesServing := kind.Kind == "CustomResourceDefinition" || kind.Kind == "APIService"
	observed := func(o any) {
		if meta, ok := o.(metav1.Object); ok {
			m.to.observed(kind, meta)
		}
		if changesServing {
			m.wake()
		}
	}
	gone := func(o any) {
		if unknown, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
			o = unknown.Obj
		}
		if meta, ok := o.(metav1.Object); ok {
			m.to.gone(newVertex(kind, meta).identity)
		}
		if changesServing {
			m.wake()
		}
	}
	return informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(now any) { guard.Insist(observing, func() { observed(now) }) },
		UpdateFunc: func(_, now any) { guard.Insist(observing, func() { observed(now) }) },
		DeleteFunc: func(last any) { guard.Insist(observing, func() { gone(last) }) },
	})
}

func (m *monitors) wake() {
	select {
	case m.changed <- struct{}{}:
	default:
	}
}
