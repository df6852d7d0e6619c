package tee

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/cache"
)

// onDemand is an informer that, once started, waits for its first user. Until then it counts as synced, with nothing in it.
type onDemand struct {
	cache.SharedIndexInformer
	once sync.Once
	used chan struct{}
}

func newOnDemand(i cache.SharedIndexInformer) *onDemand {
	return &onDemand{SharedIndexInformer: i, used: make(chan struct{})}
}

func (o *onDemand) use() cache.SharedIndexInformer {
	o.once.Do(func() { close(o.used) })
	return o.SharedIndexInformer
}

func (o *onDemand) unused() bool {
	select {
	case <-o.used:
		return false
	default:
		return true
	}
}

func (o *onDemand) Run(stop <-chan struct{}) { o.RunWithContext(wait.ContextForChannel(stop)) }

func (o *onDemand) RunWithContext(ctx context.Context) {
	select {
	case <-o.used:
		o.SharedIndexInformer.RunWithContext(ctx)
	case <-ctx.Done():
	}
}

func (o *onDemand) HasSynced() bool { return o.unused() || o.SharedIndexInformer.HasSynced() }

func (o *onDemand) HasSyncedChecker() cache.DoneChecker {
	if o.unused() {
		return nothingToDo{}
	}
	return o.SharedIndexInformer.HasSyncedChecker()
}

// nothingToDo is done.
type nothingToDo struct{}

func (nothingToDo) Name() string { return "unused informer" }

func (nothingToDo) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

func (o *onDemand) AddEventHandler(h cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
	return o.use().AddEventHandler(h)
}

func (o *onDemand) AddEventHandlerWithResyncPeriod(h cache.ResourceEventHandler, d time.Duration) (cache.ResourceEventHandlerRegistration, error) {
	return o.use().AddEventHandlerWithResyncPeriod(h, d)
}

func (o *onDemand) AddEventHandlerWithOptions(h cache.ResourceEventHandler, options cache.HandlerOptions) (cache.ResourceEventHandlerRegistration, error) {
	return o.use().AddEventHandlerWithOptions(h, options)
}

func (o *onDemand) GetStore() cache.Store { return o.use().GetStore() }

func (o *onDemand) GetIndexer() cache.Indexer { return o.use().GetIndexer() }

func (o *onDemand) GetController() cache.Controller { return o.use().GetController() }

func (o *onDemand) AddIndexers(indexers cache.Indexers) error { return o.use().AddIndexers(indexers) }

func (o *onDemand) SetTransform(f cache.TransformFunc) error { return o.use().SetTransform(f) }
