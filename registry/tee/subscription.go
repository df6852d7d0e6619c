package tee

import (
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/storage"
)

// scope is what an informer asked for.
type scope struct {
	namespace string // "": all
	selector  storage.SelectionPredicate
	all       bool // the selector selects everything
	metaOnly  bool
}

// backlog is how many events an informer may lag behind before it must list again, from memory.
const backlog = 10000

// subscription is one informer's watch.
type subscription struct {
	kind            *kind
	scope           *scope
	resourceVersion string

	mu     sync.Mutex
	queue  []watch.Event
	wake   chan struct{}
	done   chan struct{}
	ended  bool
	events chan watch.Event
}

func newSubscription(k *kind, s *scope, resourceVersion string) *subscription {
	return &subscription{kind: k, scope: s, resourceVersion: resourceVersion, wake: make(chan struct{}, 1), done: make(chan struct{}), events: make(chan watch.Event)}
}

// selects reports whether the informer wants to see o. The kind's lock is held.
func (s *subscription) selects(o runtime.Object) bool { return s.kind.selected(s.scope, o) }

func (k *kind) selected(s *scope, o runtime.Object) bool {
	if s.namespace != "" && access(o).GetNamespace() != s.namespace {
		return false
	}
	if s.all {
		return true
	}
	labels, fields, err := k.attributes(o)
	return err == nil && s.selector.MatchesObjectAttributes(labels, fields)
}

// offer queues a change if the informer wants it, and reports whether the subscription goes on. The kind's lock is held.
func (s *subscription) offer(t watch.EventType, o, old runtime.Object, partial *metav1.PartialObjectMetadata) bool {
	now := t != watch.Deleted && s.selects(o)
	before := old != nil && s.selects(old)
	switch {
	case !now && !before:
		return true
	case !now:
		t = watch.Deleted
	case !before:
		t = watch.Added
	default:
		t = watch.Modified
	}
	e := watch.Event{Type: t, Object: o}
	if s.scope.metaOnly {
		e.Object = partial
	}
	return s.enqueue(e)
}

func (s *subscription) enqueue(e watch.Event) bool {
	s.mu.Lock()
	full := len(s.queue) >= backlog
	if !full {
		s.queue = append(s.queue, e)
	}
	s.mu.Unlock()
	if full {
		s.end()
		return false
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return true
}

// pump moves events from the queue to the informer until the subscription ends.
func (s *subscription) pump() {
	for {
		select {
		case <-s.wake:
		case <-s.done:
			return
		}
		s.mu.Lock()
		batch := s.queue
		s.queue = nil
		s.mu.Unlock()
		for _, e := range batch {
			select {
			case s.events <- e:
			case <-s.done:
				return
			}
		}
	}
}

func (s *subscription) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.ended = true
		close(s.done)
	}
}

func (s *subscription) ResultChan() <-chan watch.Event { return s.events }

func (s *subscription) Stop() {
	s.kind.mu.Lock()
	delete(s.kind.subs, s)
	s.kind.mu.Unlock()
	s.end()
}
