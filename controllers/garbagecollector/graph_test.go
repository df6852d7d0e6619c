package garbagecollector

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

var things = schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Thing"}

type change func(*vertex)

// thing is an object named as its UID, in namespace "ns".
func thing(uid types.UID, changes ...change) *vertex {
	v := &vertex{identity: identity{kind: things, namespace: "ns", name: string(uid), uid: uid}}
	for _, change := range changes {
		change(v)
	}
	return v
}

func ownedBy(uids ...types.UID) change {
	return func(v *vertex) {
		for _, uid := range uids {
			v.owners = append(v.owners, metav1.OwnerReference{
				APIVersion: "example.com/v1", Kind: "Thing", Name: string(uid), UID: uid, BlockOwnerDeletion: ptr.To(true),
			})
		}
	}
}

func free(v *vertex)             { v.owners = unblocked(v.owners) }
func foreground(v *vertex)       { v.deleting, v.foreground = true, true }
func orphaning(v *vertex)        { v.deleting, v.orphaning = true, true }
func in(namespace string) change { return func(v *vertex) { v.namespace = namespace } }

func words(uids []types.UID) string {
	slices.Sort(uids)
	var all []string
	for _, uid := range slices.Compact(uids) {
		all = append(all, string(uid))
	}
	return strings.Join(all, " ")
}

func TestGraphWakesWhoMayHaveToGo(t *testing.T) {
	for name, test := range map[string]struct {
		before []*vertex
		then   *vertex
		gone   types.UID
		want   string
	}{
		"no owner":                        {then: thing("a")},
		"owner is there":                  {before: []*vertex{thing("o")}, then: thing("a", ownedBy("o"))},
		"owner is not there":              {then: thing("a", ownedBy("o")), want: "a"},
		"owner comes":                     {before: []*vertex{thing("a", ownedBy("o"))}, then: thing("o")},
		"owner comes elsewhere":           {before: []*vertex{thing("a", ownedBy("o"))}, then: thing("o", in("other")), want: "a"},
		"owner of all namespaces":         {before: []*vertex{thing("a", ownedBy("o"))}, then: thing("o", in(""))},
		"owner goes":                      {before: []*vertex{thing("o"), thing("a", ownedBy("o")), thing("b", ownedBy("o"))}, gone: "o", want: "a b"},
		"owner waits for its own":         {before: []*vertex{thing("o"), thing("a", ownedBy("o"))}, then: thing("o", foreground), want: "a o"},
		"owner orphans":                   {before: []*vertex{thing("o"), thing("a", ownedBy("o"))}, then: thing("o", orphaning), want: "o"},
		"last dependent goes":             {before: []*vertex{thing("o", foreground), thing("a", ownedBy("o"))}, gone: "a", want: "o"},
		"dependent stops blocking":        {before: []*vertex{thing("o", foreground), thing("a", ownedBy("o"))}, then: thing("a", ownedBy("o"), free), want: "a o"},
		"dependent drops its owner":       {before: []*vertex{thing("o", foreground), thing("a", ownedBy("o"))}, then: thing("a"), want: "o"},
		"unknown object goes":             {before: []*vertex{thing("a", ownedBy("o"))}, gone: "o", want: "a"},
		"new dependent of one that waits": {before: []*vertex{thing("o", foreground)}, then: thing("a", ownedBy("o")), want: "a"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGraph()
			for _, v := range test.before {
				g.observe(v)
			}
			var got []types.UID
			if test.then != nil {
				got = g.observe(test.then)
			} else {
				got = g.forget(test.gone)
			}
			if words(got) != test.want {
				t.Errorf("wakes %q, want %q", words(got), test.want)
			}
		})
	}
}

func TestGraphForgetsCompletely(t *testing.T) {
	g := newGraph()
	g.observe(thing("o"))
	g.observe(thing("a", ownedBy("o", "p")))
	g.forget("a")
	g.forget("o")
	if len(g.vertices) != 0 || len(g.dependents) != 0 {
		t.Errorf("left: %v, %v", g.vertices, g.dependents)
	}
}

func TestDecide(t *testing.T) {
	refs := func(uid types.UID) []metav1.OwnerReference { return thing("x", ownedBy(uid)).owners }
	for name, test := range map[string]struct {
		refs       owners
		finalizers []string
		dependents []*vertex
		want       verdict
	}{
		"no owners":                      {},
		"owner stays":                    {refs: owners{solid: refs("s")}},
		"one of two is gone":             {refs: owners{solid: refs("s"), dangling: refs("d"), waiting: refs("w")}, want: verdict{dropOwners: []types.UID{"d", "w"}}},
		"all gone":                       {refs: owners{dangling: refs("d")}, want: verdict{delete: metav1.DeletePropagationBackground}},
		"all gone, to orphan":            {refs: owners{dangling: refs("d")}, finalizers: []string{"orphan"}, want: verdict{delete: metav1.DeletePropagationOrphan}},
		"all gone, in the foreground":    {refs: owners{dangling: refs("d")}, finalizers: []string{"foregroundDeletion"}, want: verdict{delete: metav1.DeletePropagationForeground}},
		"owner waits":                    {refs: owners{waiting: refs("w")}, want: verdict{delete: metav1.DeletePropagationBackground}},
		"owner waits, has dependents":    {refs: owners{waiting: refs("w")}, dependents: []*vertex{thing("a")}, want: verdict{delete: metav1.DeletePropagationForeground}},
		"owner waits, ring of ownership": {refs: owners{waiting: refs("w")}, dependents: []*vertex{thing("a", foreground)}, want: verdict{unblock: true, delete: metav1.DeletePropagationForeground}},
	} {
		t.Run(name, func(t *testing.T) {
			got := decide(test.refs, test.finalizers, test.dependents)
			if got.delete != test.want.delete || got.unblock != test.want.unblock || !slices.Equal(got.dropOwners, test.want.dropOwners) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestOnlyBlockingDependentsHoldForegroundDeletionUp(t *testing.T) {
	got := blockers("o", []*vertex{thing("a", ownedBy("o")), thing("b", ownedBy("o"), free), thing("c", ownedBy("p"))})
	if len(got) != 1 || got[0].uid != "a" {
		t.Errorf("blockers %v, want a", got)
	}
}
