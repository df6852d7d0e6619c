package history

import (
	"context"
	"errors"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/coracle-k8s/coracle/controllers/owned"
)

var kind = appsv1.SchemeGroupVersion.WithKind("StatefulSet")

func set(uid types.UID) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "db", UID: uid},
		Spec:       appsv1.StatefulSetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}}},
	}
}

func revision(name, content string, number int64, owner *appsv1.StatefulSet) *appsv1.ControllerRevision {
	r := &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, Labels: map[string]string{"app": "db"}},
		Data:       runtime.RawExtension{Raw: fmt.Appendf(nil, `{"spec": %q}`, content)}, Revision: number,
	}
	if owner != nil {
		r.OwnerReferences = []metav1.OwnerReference{owned.Reference(owner, kind)}
	}
	return r
}

func clientWith(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	builder := fake.NewClientBuilder().WithObjects(objects...)
	if err := owned.AddIndexes(t.Context(), indexer{builder}); err != nil {
		t.Fatal(err)
	}
	return builder.Build()
}

func TestRevisionsAreAdopted(t *testing.T) {
	owner, former := set("new"), set("old")
	stranger := revision("stranger", "x", 5, nil)
	stranger.Labels = nil
	c := clientWith(t, owner, stranger, revision("b", "2", 2, nil), revision("a", "1", 1, owner), revision("other", "x", 7, former))
	all, err := Of(t.Context(), c, owner, kind, owner.Spec.Selector)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range all {
		names = append(names, r.Name)
		if !metav1.IsControlledBy(r, owner) {
			t.Errorf("owners of %s: %v", r.Name, r.OwnerReferences)
		}
	}
	if got := fmt.Sprint(names); got != "[a b]" {
		t.Errorf("revisions %s, want [a b]", got)
	}
}

func TestEnsure(t *testing.T) {
	owner, former := set("new"), set("old")
	for name, test := range map[string]struct {
		there    []*appsv1.ControllerRevision
		existing int // how many of these its owner knows
		err      error
		number   int64
		old      int
	}{
		"the first":                           {nil, 0, nil, 1, 0},
		"a change":                            {[]*appsv1.ControllerRevision{revision("db-0", "before", 4, owner)}, 1, nil, 5, 1},
		"no change":                           {[]*appsv1.ControllerRevision{revision("db-1", "now", 4, owner)}, 1, nil, 4, 0},
		"a change back":                       {[]*appsv1.ControllerRevision{revision("db-1", "now", 4, owner), revision("db-2", "then", 5, owner)}, 2, nil, 6, 1},
		"the same, not known yet":             {[]*appsv1.ControllerRevision{revision("db-1", "now", 4, nil)}, 0, nil, 4, 0},
		"the same, of one that goes":          {[]*appsv1.ControllerRevision{revision("db-1", "now", 4, former)}, 0, nil, 4, 0},
		"another of the same name":            {[]*appsv1.ControllerRevision{revision("db-1", "then", 4, nil)}, 0, ErrCollision, 0, 0},
		"another of the same name, one's own": {[]*appsv1.ControllerRevision{revision("db-1", "then", 4, owner)}, 1, ErrCollision, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var objects []client.Object
			for _, r := range test.there {
				objects = append(objects, r)
			}
			c := clientWith(t, objects...)
			existing := make([]*appsv1.ControllerRevision, test.existing)
			for i := range existing {
				existing[i] = &appsv1.ControllerRevision{}
				if err := c.Get(t.Context(), client.ObjectKeyFromObject(test.there[i]), existing[i]); err != nil {
					t.Fatal(err)
				}
			}
			current, old, err := Ensure(t.Context(), c, revision("db-1", "now", 0, owner), existing)
			if !errors.Is(err, test.err) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if err == nil && (current.Name != "db-1" || current.Revision != test.number || len(old) != test.old) {
				t.Errorf("revision %s with number %d and %d before it", current.Name, current.Revision, len(old))
			}
		})
	}
}

// indexer gives the fake client the indexes that a manager's cache has.
type indexer struct{ builder *fake.ClientBuilder }

func (i indexer) IndexField(_ context.Context, o client.Object, field string, extract client.IndexerFunc) error {
	i.builder.WithIndex(o, field, extract)
	return nil
}
