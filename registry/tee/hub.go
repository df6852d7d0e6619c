// Package tee lets informers in this process share the very objects that the watch caches hold.
//
// Everything above a watch cache hands out deep copies. So a tee stands beneath it, in its source: each object that the
// watch cache's reflector reads is also handed, same pointer, to the informers subscribed to its kind. The tee itself keeps
// keys and pointers only. Shared objects are read only: who changes one changes what every client of the server reads.
package tee

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/storage"
)

// Hub holds the shared objects of one server, by the kind that they are stored as.
type Hub struct {
	typer  runtime.ObjectTyper
	detect bool

	mu    sync.Mutex
	kinds map[schema.GroupVersionKind]*kind
}

// New makes a hub for objects whose kinds typer knows, and for unstructured ones. With detectMutations the hub keeps a
// copy of each object, for Mutations to compare; this is for tests.
func New(typer runtime.ObjectTyper, detectMutations bool) *Hub {
	return &Hub{typer: typer, detect: detectMutations, kinds: map[schema.GroupVersionKind]*kind{}}
}

// Source wraps the storage that a watch cache of objects like example reads from. attributes are what selectors match. The
// latest source of a kind is the one that feeds its subscribers. Kinds that the hub does not know are not shared.
func (h *Hub) Source(example runtime.Object, s storage.Interface, attributes storage.AttrFunc) *Source {
	k := newKind(schema.GroupVersionKind{}, false)
	if gvk, ok := h.kindOf(example); ok {
		k = h.kind(gvk)
	}
	source := &Source{Interface: s, kind: k}
	k.attach(source, attributes)
	return source
}

// Absent says that nothing of the kinds is stored here: their informers are in sync, with nothing in them.
func (h *Hub) Absent(kinds ...schema.GroupVersionKind) {
	for _, gvk := range kinds {
		k := h.kind(gvk)
		k.mu.Lock()
		k.replace("1")
		k.mu.Unlock()
	}
}

// Has reports whether a watch cache feeds the kind.
func (h *Hub) Has(gvk schema.GroupVersionKind) bool {
	h.mu.Lock()
	k := h.kinds[gvk]
	h.mu.Unlock()
	return k != nil && k.fed()
}

// WaitFor returns when the hub has the given revision of a kind, or a later one: the caller's own write is then on its way
// to every subscriber, in order. Kinds that are not shared are waited for until ctx ends.
func (h *Hub) WaitFor(ctx context.Context, gvk schema.GroupVersionKind, resourceVersion string) error {
	revision, err := strconv.ParseUint(resourceVersion, 10, 64)
	if err != nil {
		return fmt.Errorf("parsing resource version %q: %w", resourceVersion, err)
	}
	k := h.kind(gvk)
	reached := k.reached(revision)
	select {
	case <-reached:
		return nil
	case <-ctx.Done():
		k.forget(reached)
		return fmt.Errorf("waiting for revision %d of %s: %w", revision, gvk.Kind, ctx.Err())
	}
}

func (h *Hub) kind(gvk schema.GroupVersionKind) *kind {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := h.kinds[gvk]
	if k == nil {
		k = newKind(gvk, h.detect)
		h.kinds[gvk] = k
	}
	return k
}

// kindOf is the served kind of a hub type (the first name that it was registered with), or what an unstructured object says.
func (h *Hub) kindOf(o runtime.Object) (schema.GroupVersionKind, bool) {
	if _, ok := o.(runtime.Unstructured); ok {
		gvk := o.GetObjectKind().GroupVersionKind()
		return gvk, !gvk.Empty()
	}
	kinds, _, err := h.typer.ObjectKinds(o)
	if err != nil || len(kinds) == 0 {
		return schema.GroupVersionKind{}, false
	}
	return kinds[0], true
}
