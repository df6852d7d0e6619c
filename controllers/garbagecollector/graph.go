package garbagecollector

import (
	"maps"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// identity is where an object is found, and which of that name it is.
type identity struct {
	kind      schema.GroupVersionKind
	namespace string
	name      string
	uid       types.UID
}

// vertex is what the graph knows of one object.
type vertex struct {
	identity
	owners []metav1.OwnerReference
	// deleting: it has a deletion timestamp. foreground: it waits for its dependents' deletion. orphaning: its
	// dependents are to be orphaned first.
	deleting, foreground, orphaning bool
}

func newVertex(kind schema.GroupVersionKind, o metav1.Object) *vertex {
	deleting := o.GetDeletionTimestamp() != nil
	return &vertex{
		identity:   identity{kind: kind, namespace: o.GetNamespace(), name: o.GetName(), uid: o.GetUID()},
		owners:     o.GetOwnerReferences(),
		deleting:   deleting,
		foreground: deleting && slices.Contains(o.GetFinalizers(), metav1.FinalizerDeleteDependents),
		orphaning:  deleting && slices.Contains(o.GetFinalizers(), metav1.FinalizerOrphanDependents),
	}
}

// reference returns the owner reference with the UID, or nil.
func (v *vertex) reference(uid types.UID) *metav1.OwnerReference {
	for i := range v.owners {
		if v.owners[i].UID == uid {
			return &v.owners[i]
		}
	}
	return nil
}

// blocks reports whether v keeps the owner with the UID from being deleted in the foreground.
func (v *vertex) blocks(uid types.UID) bool {
	ref := v.reference(uid)
	return ref != nil && ref.BlockOwnerDeletion != nil && *ref.BlockOwnerDeletion
}

// names reports whether a reference from an object in the namespace means this object: kind, name, UID and, unless it
// has none, namespace. The version does not matter.
func (i identity) names(ref metav1.OwnerReference, namespace string) bool {
	gv, err := schema.ParseGroupVersion(ref.APIVersion)
	return err == nil && gv.Group == i.kind.Group && ref.Kind == i.kind.Kind && ref.Name == i.name && ref.UID == i.uid &&
		(i.namespace == "" || i.namespace == namespace)
}

// graph holds all objects and who owns whom. Vertices are never written to after they are in.
type graph struct {
	lock       sync.Mutex
	vertices   map[types.UID]*vertex
	dependents map[types.UID]map[types.UID]struct{}
}

func newGraph() *graph {
	return &graph{vertices: map[types.UID]*vertex{}, dependents: map[types.UID]map[types.UID]struct{}{}}
}

// observe takes in the present state of an object and returns the UIDs of those that may have to be acted upon now.
func (g *graph) observe(v *vertex) []types.UID {
	g.lock.Lock()
	defer g.lock.Unlock()
	old := g.vertices[v.uid]
	g.vertices[v.uid] = v
	wake := g.relink(old, v)
	if old == nil {
		wake = append(wake, g.misnamed(v)...)
	}
	if g.ownersInDoubt(v) || v.orphaning {
		wake = append(wake, v.uid)
	}
	if v.foreground && (old == nil || !old.foreground) {
		wake = append(append(wake, v.uid), slices.Collect(maps.Keys(g.dependents[v.uid]))...)
	}
	return wake
}

// relink updates who depends on whom, and returns the owners that v does not block any more.
func (g *graph) relink(old, v *vertex) []types.UID {
	for _, ref := range v.owners {
		if g.dependents[ref.UID] == nil {
			g.dependents[ref.UID] = map[types.UID]struct{}{}
		}
		g.dependents[ref.UID][v.uid] = struct{}{}
	}
	if old == nil {
		return nil
	}
	var unblocked []types.UID
	for _, ref := range old.owners {
		if v.reference(ref.UID) == nil {
			g.unlink(ref.UID, v.uid)
		}
		if owner := g.vertices[ref.UID]; owner != nil && owner.foreground && old.blocks(ref.UID) && !v.blocks(ref.UID) {
			unblocked = append(unblocked, ref.UID)
		}
	}
	return unblocked
}

func (g *graph) unlink(owner, dependent types.UID) {
	delete(g.dependents[owner], dependent)
	if len(g.dependents[owner]) == 0 {
		delete(g.dependents, owner)
	}
}

// misnamed returns the dependents that have the UID of v right, but not its kind, name or namespace.
func (g *graph) misnamed(v *vertex) []types.UID {
	var wrong []types.UID
	for uid := range g.dependents[v.uid] {
		dependent := g.vertices[uid]
		if ref := dependent.reference(v.uid); ref != nil && !v.names(*ref, dependent.namespace) {
			wrong = append(wrong, uid)
		}
	}
	return wrong
}

// ownersInDoubt reports whether an owner of v is not known to be there, or waits for v to go.
func (g *graph) ownersInDoubt(v *vertex) bool {
	return slices.ContainsFunc(v.owners, func(ref metav1.OwnerReference) bool {
		owner := g.vertices[ref.UID]
		return owner == nil || owner.foreground || !owner.names(ref, v.namespace)
	})
}

// forget takes an object out that is no more, and returns those that may have to be acted upon now: what it owned,
// and those of its owners that wait for their dependents.
func (g *graph) forget(uid types.UID) []types.UID {
	g.lock.Lock()
	defer g.lock.Unlock()
	wake := slices.Collect(maps.Keys(g.dependents[uid]))
	v := g.vertices[uid]
	if v == nil {
		return wake
	}
	delete(g.vertices, uid)
	for _, ref := range v.owners {
		g.unlink(ref.UID, uid)
		if owner := g.vertices[ref.UID]; owner != nil && owner.foreground {
			wake = append(wake, ref.UID)
		}
	}
	return wake
}

// get returns the object with the UID, or nil, and its dependents.
func (g *graph) get(uid types.UID) (v *vertex, dependents []*vertex) {
	g.lock.Lock()
	defer g.lock.Unlock()
	for dependent := range g.dependents[uid] {
		dependents = append(dependents, g.vertices[dependent])
	}
	return g.vertices[uid], dependents
}

// owner returns the object that ref means, or nil if the graph has none; foreign is true if there is one with its UID
// elsewhere.
func (g *graph) owner(ref metav1.OwnerReference, namespace string) (v *vertex, foreign bool) {
	g.lock.Lock()
	defer g.lock.Unlock()
	v = g.vertices[ref.UID]
	if v == nil || v.names(ref, namespace) {
		return v, false
	}
	return nil, v.namespace != "" && v.namespace != namespace
}
