package tee

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/storage"

	"github.com/coracle-k8s/coracle/guard"
)

// Source is the storage that a watch cache reads from. Only the watch cache's reflector calls its GetList and Watch.
type Source struct {
	storage.Interface
	kind   *kind
	oldest atomic.Uint64
}

// Oldest is the revision of the first list, before which the watch cache knows nothing; 0 until then.
func (s *Source) Oldest() uint64 { return s.oldest.Load() }

// Objects are all that the kind has, read-only; false until the first list is in, or if another source feeds the kind.
func (s *Source) Objects() ([]runtime.Object, bool) {
	k := s.kind
	k.mu.Lock()
	defer k.mu.Unlock()
	select {
	case <-k.filled:
		return slices.Collect(maps.Values(k.items)), k.source == s
	default:
		return nil, false
	}
}

// Close ends the source. Subscribers are told to list again, and wait for the kind's next source.
func (s *Source) Close() { s.kind.detach(s) }

// GetList is called when streaming failed. The reflector copies the structs of a typed list, so that identity is lost
// here for objects that have changed. (cacher.Config.NewListFunc cannot make a list of pointers: the library's
// consistency checker uses it too.)
func (s *Source) GetList(ctx context.Context, key string, o storage.ListOptions, list runtime.Object) error {
	if err := s.Interface.GetList(ctx, key, o, list); err != nil {
		return err
	}
	objects, err := meta.ExtractListWithAlloc(list)
	if err != nil {
		return err
	}
	page, err := meta.ListAccessor(list)
	if err != nil {
		return err
	}
	k := s.kind
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.source != s {
		return nil
	}
	if o.Predicate.Continue == "" {
		k.pending = nil
	}
	for _, o := range objects {
		k.pending = append(k.pending, k.known(o))
	}
	if page.GetContinue() == "" {
		s.listed(page.GetResourceVersion())
	}
	return nil
}

// Watch reads along with the watch cache.
func (s *Source) Watch(ctx context.Context, key string, o storage.ListOptions) (watch.Interface, error) {
	inner, err := s.Interface.Watch(ctx, key, o)
	if err != nil {
		return nil, err
	}
	w := &teeWatch{inner: inner, out: make(chan watch.Event), done: make(chan struct{})}
	initial := o.SendInitialEvents != nil && *o.SendInitialEvents
	guard.GoThen("watch cache's tee", func() error { w.copy(s, initial); return nil }, func(error) { close(w.out) })
	return w, nil
}

// feed takes one event and returns it, with the object that is known already if it is the same.
func (s *Source) feed(e watch.Event, initial bool) (_ watch.Event, stillInitial bool) {
	if e.Type == watch.Error {
		return e, initial
	}
	o := e.Object
	if timed, ok := o.(storage.WatchEventWithRecordTime); ok {
		o = timed.Unwrap() // the watch cache measures with the time how long it dispatches
	}
	m, err := meta.Accessor(o)
	if err != nil {
		return e, initial
	}
	k := s.kind
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.source != s: // another source feeds the kind
	case e.Type == watch.Bookmark && initial && m.GetAnnotations()[metav1.InitialEventsAnnotationKey] == "true":
		s.listed(m.GetResourceVersion())
		return e, false
	case e.Type == watch.Bookmark && !initial:
		k.advance(m.GetResourceVersion())
	case e.Type == watch.Bookmark:
	case initial:
		e.Object = k.known(o)
		k.pending = append(k.pending, e.Object)
	default:
		k.apply(e.Type, keyOf(m), o)
		k.advance(m.GetResourceVersion())
	}
	return e, initial
}

// listed is called with the kind's lock held.
func (s *Source) listed(resourceVersion string) {
	if revision, err := strconv.ParseUint(resourceVersion, 10, 64); err == nil {
		s.oldest.CompareAndSwap(0, revision)
	}
	s.kind.replace(resourceVersion)
}

// begin forgets an initial list that did not end.
func (s *Source) begin() {
	s.kind.mu.Lock()
	defer s.kind.mu.Unlock()
	if s.kind.source == s {
		s.kind.pending = nil
	}
}

// teeWatch is the watch that the watch cache's reflector sees.
type teeWatch struct {
	inner watch.Interface
	out   chan watch.Event
	done  chan struct{}
	once  sync.Once
}

func (w *teeWatch) copy(s *Source, initial bool) {
	if initial {
		s.begin()
	}
	for e := range w.inner.ResultChan() {
		e, initial = s.feed(e, initial)
		select {
		case w.out <- e: // the same pointer goes to the watch cache
		case <-w.done:
			return
		}
	}
}

func (w *teeWatch) ResultChan() <-chan watch.Event { return w.out }

func (w *teeWatch) Stop() {
	w.once.Do(func() { close(w.done) })
	w.inner.Stop()
}
