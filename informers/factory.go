// Package informers has a client-go informer factory that knows only the kinds that Coracle's own parts and its libraries ask for.
//
// client-go's own makes informers of every version of every kind, and since 1.37 each of these is a set of generic types: code
// and names of 10 MB, kept by the linker whether somebody asks for them or not, and read into memory where they are spread
// among what runs.
package informers

import (
	"context"
	"reflect"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/informers/internalinterfaces"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/coracle-k8s/coracle/guard"
)

// factory is informers.SharedInformerFactory for the groups of groups.go. Another group, or ForResource, is a nil pointer: who
// needs one adds it there.
type factory struct {
	informers.SharedInformerFactory
	client    kubernetes.Interface
	transform cache.TransformFunc

	mu      sync.Mutex
	all     map[reflect.Type]cache.SharedIndexInformer
	started map[reflect.Type]bool
	ended   bool
	running guard.Group
}

// New is a factory whose informers read through client, all namespaces and without resync. transform, unless nil, changes
// objects before they are kept. Like client-go's it makes one informer of each Go type, for all who ask, and starts those that
// were asked for since the last start.
func New(client kubernetes.Interface, transform cache.TransformFunc) informers.SharedInformerFactory {
	return &factory{
		client: client, transform: transform,
		all: map[reflect.Type]cache.SharedIndexInformer{}, started: map[reflect.Type]bool{},
	}
}

func (f *factory) InformerName() *cache.InformerName { return nil }

// InformerFor is the informer of object's type: the one that was there first, or else what create makes.
func (f *factory) InformerFor(object runtime.Object, create internalinterfaces.NewInformerFunc) cache.SharedIndexInformer {
	f.mu.Lock()
	defer f.mu.Unlock()
	kind := reflect.TypeOf(object)
	if i, ok := f.all[kind]; ok {
		return i
	}
	i := create(f.client, time.Duration(0))
	if f.transform != nil {
		_ = i.SetTransform(f.transform) // fails only for one that runs already
	}
	f.all[kind] = i
	return i
}

func (f *factory) Start(stop <-chan struct{}) { f.StartWithContext(wait.ContextForChannel(stop)) }

func (f *factory) StartWithContext(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for kind, i := range f.all {
		if f.ended || f.started[kind] {
			continue
		}
		f.started[kind] = true
		f.running.Keep(ctx, "informer", i.RunWithContext)
	}
}

// Shutdown waits for the informers, which end with the contexts that they were started with. None is started afterwards.
func (f *factory) Shutdown() {
	f.mu.Lock()
	f.ended = true
	f.mu.Unlock()
	f.running.Wait()
}

func (f *factory) WaitForCacheSync(stop <-chan struct{}) map[reflect.Type]bool {
	return f.WaitForCacheSyncWithContext(wait.ContextForChannel(stop)).Synced
}

// WaitForCacheSyncWithContext waits for all that were started, until ctx ends: its cause is then the result's error.
func (f *factory) WaitForCacheSyncWithContext(ctx context.Context) cache.SyncResult {
	started := f.startedInformers()
	checkers := make([]cache.DoneChecker, 0, len(started))
	for _, i := range started {
		checkers = append(checkers, i.HasSyncedChecker())
	}
	cache.WaitFor(ctx, "" /* nothing is logged */, checkers...)
	result := cache.SyncResult{Synced: make(map[reflect.Type]bool, len(started))}
	for kind, i := range started {
		result.Synced[kind] = i.HasSynced()
		if !result.Synced[kind] {
			result.Err = context.Cause(ctx)
		}
	}
	return result
}

func (f *factory) startedInformers() map[reflect.Type]cache.SharedIndexInformer {
	f.mu.Lock()
	defer f.mu.Unlock()
	started := make(map[reflect.Type]cache.SharedIndexInformer, len(f.started))
	for kind := range f.started {
		started[kind] = f.all[kind]
	}
	return started
}
