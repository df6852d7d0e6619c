package tee

import (
	"strconv"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/storage"
)

// kind mirrors the watch cache of one kind.
type kind struct {
	gvk schema.GroupVersionKind

	mu         sync.Mutex
	source     *Source
	attributes storage.AttrFunc
	filled     chan struct{} // closed when the source's first list is in
	detached   chan struct{} // closed when the source ends
	items      map[string]runtime.Object
	metas      map[string]*metav1.PartialObjectMetadata // made when the first metadata-only informer asks
	pending    []runtime.Object                         // of a list under way
	revision   uint64
	waiters    map[chan struct{}]uint64
	subs       map[*subscription]struct{}
	detector   *detector // nil: mutations are not looked for
}

func newKind(gvk schema.GroupVersionKind, detect bool) *kind {
	k := &kind{gvk: gvk, filled: make(chan struct{}), items: map[string]runtime.Object{}, waiters: map[chan struct{}]uint64{}, subs: map[*subscription]struct{}{}}
	if detect {
		k.detector = newDetector()
	}
	return k
}

func (k *kind) attach(s *Source, attributes storage.AttrFunc) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.source != nil {
		k.clear()
	}
	k.source, k.attributes, k.detached = s, attributes, make(chan struct{})
}

// detach makes all subscribers list again, from the next source.
func (k *kind) detach(s *Source) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.source == s {
		k.clear()
		k.source = nil
	}
}

// clear forgets the objects. k.mu is held.
func (k *kind) clear() {
	for s := range k.subs {
		s.end()
	}
	clear(k.subs)
	close(k.detached)
	k.items, k.metas, k.pending = map[string]runtime.Object{}, nil, nil
	select {
	case <-k.filled:
		k.filled = make(chan struct{})
	default: // who waits goes on waiting
	}
	k.detector.forget()
}

func (k *kind) fed() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.source != nil
}

// reached is closed when the kind is at the revision.
func (k *kind) reached(revision uint64) chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	done := make(chan struct{})
	if k.revision >= revision {
		close(done)
	} else {
		k.waiters[done] = revision
	}
	return done
}

// forget ends the wait for what reached returned.
func (k *kind) forget(done chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.waiters, done)
}

// advance is called with k.mu held, after what led to the revision was handed to the subscribers.
func (k *kind) advance(resourceVersion string) {
	revision, err := strconv.ParseUint(resourceVersion, 10, 64)
	if err != nil || revision <= k.revision {
		return
	}
	k.revision = revision
	for done, wanted := range k.waiters {
		if wanted <= revision {
			close(done)
			delete(k.waiters, done)
		}
	}
}

// known returns the object that the kind has already if o is the same revision of it. So identity, and there being one
// copy, survive a list. k.mu is held.
func (k *kind) known(o runtime.Object) runtime.Object {
	m := access(o)
	old, ok := k.items[keyOf(m)]
	if !ok {
		return o
	}
	if om := access(old); om.GetResourceVersion() != m.GetResourceVersion() || om.GetUID() != m.GetUID() {
		return o
	}
	return old
}

// replace makes the pending objects the content. Subscribers see the difference as plain events. k.mu is held.
func (k *kind) replace(resourceVersion string) {
	next := make(map[string]runtime.Object, len(k.pending))
	for _, o := range k.pending {
		next[keyOf(access(o))] = o
	}
	k.pending = nil
	for key, old := range k.items {
		if now, ok := next[key]; !ok || access(old).GetUID() != access(now).GetUID() {
			k.apply(watch.Deleted, key, old)
		}
	}
	for key, o := range next {
		switch old, ok := k.items[key]; {
		case !ok:
			k.apply(watch.Added, key, o)
		case old != o:
			k.apply(watch.Modified, key, o)
		}
	}
	k.advance(resourceVersion)
	select {
	case <-k.filled:
	default:
		close(k.filled)
	}
}

// apply stores one change and hands it to the subscribers. k.mu is held.
func (k *kind) apply(t watch.EventType, key string, o runtime.Object) {
	old := k.items[key]
	k.detector.check(old)
	var partial *metav1.PartialObjectMetadata
	if k.metas != nil {
		partial = k.partial(o)
	}
	if t == watch.Deleted {
		delete(k.items, key)
		delete(k.metas, key)
	} else {
		k.items[key] = o
		k.detector.keep(o)
		if partial != nil {
			k.metas[key] = partial
		}
	}
	for s := range k.subs {
		if !s.offer(t, o, old, partial) {
			delete(k.subs, s)
		}
	}
}

// partial shares everything beneath the metadata with the object.
func (k *kind) partial(o runtime.Object) *metav1.PartialObjectMetadata {
	p := &metav1.PartialObjectMetadata{}
	p.SetGroupVersionKind(k.gvk)
	if typed, ok := o.(metav1.ObjectMetaAccessor); ok {
		if m, ok := typed.GetObjectMeta().(*metav1.ObjectMeta); ok {
			p.ObjectMeta = *m
			return p
		}
	}
	m := access(o) // unstructured: built anew
	p.ObjectMeta = metav1.ObjectMeta{
		Name: m.GetName(), GenerateName: m.GetGenerateName(), Namespace: m.GetNamespace(), UID: m.GetUID(),
		ResourceVersion: m.GetResourceVersion(), Generation: m.GetGeneration(), CreationTimestamp: m.GetCreationTimestamp(),
		DeletionTimestamp: m.GetDeletionTimestamp(), DeletionGracePeriodSeconds: m.GetDeletionGracePeriodSeconds(),
		Labels: m.GetLabels(), Annotations: m.GetAnnotations(), OwnerReferences: m.GetOwnerReferences(),
		Finalizers: m.GetFinalizers(), ManagedFields: m.GetManagedFields(),
	}
	return p
}

func keyOf(m metav1.Object) string {
	if ns := m.GetNamespace(); ns != "" {
		return ns + "/" + m.GetName()
	}
	return m.GetName()
}

// access reads the metadata of a stored object; whatever is stored has some.
func access(o runtime.Object) metav1.Object {
	m, err := meta.Accessor(o)
	if err != nil {
		return &metav1.ObjectMeta{}
	}
	return m
}
