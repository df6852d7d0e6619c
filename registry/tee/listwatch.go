package tee

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/coracle-k8s/coracle/guard"
)

// errDetached tells an informer's reflector to try again, after its back-off.
var errDetached = errors.New("the kind's storage is not there")

// listWatch is the ListerWatcher of one informer. List subscribes under the lock that it lists with, so that the Watch
// that follows misses nothing and needs no history; any other Watch is told to list again.
type listWatch struct {
	kind  *kind
	scope func() (*scope, error)
	// ask sends a real request before each list, if not nil: it checks that the informer's user may read the kind, and
	// makes the server build the watch cache of a custom resource.
	ask  func(context.Context) error
	next *subscription
}

// IsWatchListSemanticsUnSupported tells the reflector to list: it costs nothing here.
func (l *listWatch) IsWatchListSemanticsUnSupported() bool { return true }

func (l *listWatch) List(o metav1.ListOptions) (runtime.Object, error) {
	return l.ListWithContext(context.Background(), o)
}

func (l *listWatch) Watch(o metav1.ListOptions) (watch.Interface, error) {
	return l.WatchWithContext(context.Background(), o)
}

func (l *listWatch) ListWithContext(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) {
	if l.ask != nil {
		if err := l.ask(ctx); err != nil {
			return nil, err
		}
	}
	scope, err := l.scope()
	if err != nil {
		return nil, fmt.Errorf("learning what an informer of %s selects: %w", l.kind.gvk.Kind, err)
	}
	if err := l.kind.wait(ctx, l.ask != nil); err != nil {
		return nil, err
	}
	k := l.kind
	k.mu.Lock()
	defer k.mu.Unlock()
	list := k.list(scope)
	if l.next != nil {
		delete(k.subs, l.next)
	}
	l.next = newSubscription(k, scope, list.ResourceVersion)
	k.subs[l.next] = struct{}{}
	return list, nil
}

func (l *listWatch) WatchWithContext(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
	l.kind.mu.Lock()
	defer l.kind.mu.Unlock()
	s := l.next
	l.next = nil
	if s == nil || s.resourceVersion != o.ResourceVersion {
		if s != nil {
			delete(l.kind.subs, s)
		}
		return nil, apierrors.NewResourceExpired("list again")
	}
	guard.GoThen("informer's tee", func() error { s.pump(); return nil }, func(error) {
		s.Stop()
		close(s.events)
	})
	return s, nil
}

// wait returns when the objects are there: waiting here spares informers their back-off while a server starts. With asked,
// the storage must be there already.
func (k *kind) wait(ctx context.Context, asked bool) error {
	k.mu.Lock()
	filled, detached := k.filled, k.detached
	if k.source == nil {
		detached = nil
	}
	gone := k.source == nil && asked
	k.mu.Unlock()
	if gone {
		return errDetached
	}
	select {
	case <-filled:
		return nil
	case <-detached:
		return errDetached
	case <-ctx.Done():
		return ctx.Err()
	}
}

// list holds the objects themselves: for a List of raw extensions the library keeps pointers, of typed lists it copies
// structs. k.mu is held.
func (k *kind) list(s *scope) *metav1.List {
	if s.metaOnly && k.metas == nil {
		k.metas = make(map[string]*metav1.PartialObjectMetadata, len(k.items))
		for key, o := range k.items {
			k.metas[key] = k.partial(o)
		}
	}
	list := &metav1.List{
		ListMeta: metav1.ListMeta{ResourceVersion: strconv.FormatUint(k.revision, 10)},
		Items:    make([]runtime.RawExtension, 0, len(k.items)),
	}
	for key, o := range k.items {
		if !k.selected(s, o) {
			continue
		}
		if s.metaOnly {
			o = k.metas[key]
		}
		list.Items = append(list.Items, runtime.RawExtension{Object: o})
	}
	return list
}
