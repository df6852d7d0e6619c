// Package recorded checks defaults and validation against what Kubernetes was seen to answer.
//
// testdata/answers.jsonl of a package has one request a line: an object that a client creates or, with old, updates, and
// what came back: the causes of a refusal, or the object with its defaults. Metadata is left out: it is checked elsewhere.
package recorded

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

// Kind says how objects of a kind are treated.
type Kind interface {
	run(t *testing.T, c *answer)
}

// Object is what API types of kind T have in common.
type Object[T any] interface {
	*T
	metav1.Object
}

// Of describes a kind by what happens to a new object: prepare fills in what the server does (it may be nil), create and
// update check. update may be nil; old has been prepared.
func Of[T any, P Object[T]](prepare func(P), create func(P) field.ErrorList, update func(obj, old P) field.ErrorList) Kind {
	return kind[T, P]{prepare, create, update}
}

type kind[T any, P Object[T]] struct {
	prepare func(P)
	create  func(P) field.ErrorList
	update  func(obj, old P) field.ErrorList
}

type answer struct {
	Kind, Name  string
	Object, Old json.RawMessage
	Causes      []string
	Want        map[string]any
}

// Check replays the package's answers. Each kind in the file must be described, and each described must be in the file.
func Check(t *testing.T, kinds map[string]Kind) {
	t.Helper()
	file, err := os.Open("testdata/answers.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	seen := map[string]bool{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		var c answer
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		k, ok := kinds[c.Kind]
		if !ok {
			t.Fatalf("line %d: nothing is known of kind %s", n, c.Kind)
		}
		seen[c.Kind] = true
		t.Run(fmt.Sprintf("%s/%d %s", c.Kind, n, c.Name), func(t *testing.T) { k.run(t, &c) })
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for name := range kinds {
		if !seen[name] {
			t.Errorf("no answers for %s", name)
		}
	}
}

func (k kind[T, P]) run(t *testing.T, c *answer) {
	obj := k.decode(t, c.Object)
	var errs field.ErrorList
	if c.Old == nil {
		errs = k.create(obj)
	} else {
		errs = k.update(obj, k.decode(t, c.Old))
	}
	if diff := cmp.Diff(c.Causes, causes(rule.Distinct(errs))); diff != "" {
		t.Errorf("causes (-want +got):\n%s%v", diff, errs.ToAggregate())
	}
	if c.Want == nil || t.Failed() {
		return
	}
	if diff := cmp.Diff(c.Want, fields(t, obj)); diff != "" {
		t.Errorf("object (-want +got):\n%s", diff)
	}
}

func (k kind[T, P]) decode(t *testing.T, data []byte) P {
	t.Helper()
	obj := P(new(T))
	if err := json.Unmarshal(data, obj); err != nil {
		t.Fatal(err)
	}
	if k.prepare != nil {
		k.prepare(obj)
	}
	return obj
}

func causes(errs field.ErrorList) (all []string) {
	for _, err := range errs {
		if !strings.HasPrefix(err.Field, "metadata") {
			all = append(all, string(err.Type)+" "+err.Field)
		}
	}
	slices.Sort(all)
	return all
}

// fields of an object besides type, metadata and status.
func fields(t *testing.T, obj any) map[string]any {
	t.Helper()
	data, err := json.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"apiVersion", "kind", "metadata", "status"} {
		delete(all, name)
	}
	return withoutNulls(all)
}

// withoutNulls drops nulls and what is empty, which answers leave out.
func withoutNulls(m map[string]any) map[string]any {
	for name, value := range m {
		if value == nil || reflect.DeepEqual(value, map[string]any{}) {
			delete(m, name)
		}
	}
	return m
}
