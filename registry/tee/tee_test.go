package tee

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/storage"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
)

var podKind = corev1.SchemeGroupVersion.WithKind("Pod")

func pod(name, uid string, revision int, label string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: name, Namespace: "n", UID: types.UID(uid), ResourceVersion: fmt.Sprint(revision), Labels: map[string]string{"l": label},
	}}
}

// fake is a storage whose watches the test feeds.
type fake struct {
	storage.Interface
	watcher *watch.FakeWatcher
}

func (f *fake) Watch(context.Context, string, storage.ListOptions) (watch.Interface, error) {
	f.watcher = watch.NewFake()
	return f.watcher, nil
}

func attributes(o runtime.Object) (labels.Set, fields.Set, error) {
	m := access(o)
	return m.GetLabels(), fields.Set{"metadata.name": m.GetName()}, nil
}

// watchCache reads from a source as a watch cache does.
type watchCache struct {
	t      *testing.T
	fake   *fake
	source *Source
	out    watch.Interface
}

func newCache(t *testing.T, h *Hub) *watchCache {
	c := &watchCache{t: t, fake: &fake{}}
	c.source = h.Source(&corev1.Pod{}, c.fake, attributes)
	return c
}

// list begins a watch with what is there.
func (c *watchCache) list(revision int, pods ...*corev1.Pod) (passed []runtime.Object) {
	c.t.Helper()
	yes := true
	var err error
	if c.out, err = c.source.Watch(context.Background(), "", storage.ListOptions{SendInitialEvents: &yes}); err != nil {
		c.t.Fatal(err)
	}
	for _, p := range pods {
		passed = append(passed, c.send(watch.Added, p))
	}
	end := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: fmt.Sprint(revision), Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"}}}
	c.send(watch.Bookmark, end)
	return passed
}

// send returns the object that the watch cache gets.
func (c *watchCache) send(t watch.EventType, p *corev1.Pod) runtime.Object {
	go c.fake.watcher.Action(t, p)
	return (<-c.out.ResultChan()).Object
}

func subscribe(t *testing.T, h *Hub, s *scope) ([]runtime.Object, watch.Interface) {
	t.Helper()
	lw := &listWatch{kind: h.kind(podKind), scope: func() (*scope, error) { return s, nil }}
	list, err := lw.ListWithContext(context.Background(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l := list.(*metav1.List)
	w, err := lw.WatchWithContext(context.Background(), metav1.ListOptions{ResourceVersion: l.ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	var objects []runtime.Object
	for _, item := range l.Items {
		objects = append(objects, item.Object)
	}
	return objects, w
}

// seen is what a watch has delivered when all is quiet.
func seen(w watch.Interface) (events []string) {
	for {
		synctest.Wait()
		select {
		case e, ok := <-w.ResultChan():
			if !ok {
				return append(events, "end")
			}
			m := access(e.Object)
			events = append(events, fmt.Sprintf("%s %s@%s", strings.ToLower(string(e.Type)), m.GetName(), m.GetResourceVersion()))
		default:
			return events
		}
	}
}

func TestInformersGetThePointersThatTheCacheGets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(clientscheme.Scheme, true)
		c := newCache(t, h)
		cached := c.list(5, pod("a", "1", 3, "x"))
		listed, w := subscribe(t, h, &scope{all: true})
		if len(listed) != 1 || listed[0] != cached[0] {
			t.Errorf("listed %v", listed)
		}
		passed := c.send(watch.Modified, pod("a", "1", 6, "x"))
		if e := <-w.ResultChan(); e.Type != watch.Modified || e.Object != passed {
			t.Errorf("event %v", e)
		}
		c.out.Stop()
	})
}

func TestNewListIsSeenAsItsDifference(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(clientscheme.Scheme, false)
		c := newCache(t, h)
		before := c.list(5, pod("same", "1", 1, "x"), pod("changed", "2", 2, "x"), pod("gone", "3", 3, "x"), pod("again", "4", 4, "x"))
		_, w := subscribe(t, h, &scope{all: true})
		c.out.Stop()
		after := c.list(9, pod("same", "1", 1, "x"), pod("changed", "2", 7, "x"), pod("new", "5", 8, "x"), pod("again", "6", 9, "x"))
		events := seen(w)
		slices.Sort(events)
		want := []string{"added again@9", "added new@8", "deleted again@4", "deleted gone@3", "modified changed@7"}
		if !slices.Equal(events, want) {
			t.Errorf("saw %q, want %q", events, want)
		}
		if before[0] != after[0] {
			t.Error("an unchanged object has a new copy")
		}
		c.out.Stop()
	})
}

func TestSelectorsDecideWhatIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(clientscheme.Scheme, false)
		c := newCache(t, h)
		c.list(5, pod("a", "1", 1, "x"), pod("b", "2", 2, "y"))
		wanted := storage.SelectionPredicate{Label: labels.SelectorFromSet(labels.Set{"l": "x"}), Field: fields.Everything()}
		listed, w := subscribe(t, h, &scope{selector: wanted})
		if len(listed) != 1 || access(listed[0]).GetName() != "a" {
			t.Errorf("listed %v", listed)
		}
		c.send(watch.Modified, pod("b", "2", 6, "x"))
		c.send(watch.Modified, pod("b", "2", 7, "x"))
		c.send(watch.Modified, pod("a", "1", 8, "y"))
		c.send(watch.Modified, pod("a", "1", 9, "z"))
		c.send(watch.Deleted, pod("a", "1", 10, "z"))
		if events := seen(w); !slices.Equal(events, []string{"added b@6", "modified b@7", "deleted a@8"}) {
			t.Errorf("saw %q", events)
		}
		if _, elsewhere := subscribe(t, h, &scope{namespace: "other", all: true}); elsewhere != nil {
			c.send(watch.Modified, pod("b", "2", 11, "x"))
			if events := seen(elsewhere); len(events) != 0 {
				t.Errorf("another namespace sees %q", events)
			}
		}
		c.out.Stop()
	})
}

func TestMetadataSharesWhatIsBeneath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(clientscheme.Scheme, false)
		c := newCache(t, h)
		c.list(5, pod("a", "1", 1, "x"))
		listed, w := subscribe(t, h, &scope{all: true, metaOnly: true})
		p, ok := listed[0].(*metav1.PartialObjectMetadata)
		if !ok || p.Kind != "Pod" || p.Name != "a" {
			t.Errorf("listed %v", listed[0])
		}
		c.send(watch.Deleted, pod("a", "1", 6, "x"))
		e := <-w.ResultChan()
		if _, ok := e.Object.(*metav1.PartialObjectMetadata); !ok || e.Type != watch.Deleted {
			t.Errorf("event %v", e)
		}
		c.out.Stop()
	})
}

func TestWaitersAreWokenByTheirRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(clientscheme.Scheme, false)
		c := newCache(t, h)
		c.list(5)
		done := make(chan error, 1)
		go func() { done <- h.WaitFor(context.Background(), podKind, "7") }()
		c.send(watch.Added, pod("a", "1", 6, "x"))
		synctest.Wait()
		select {
		case err := <-done:
			t.Errorf("woken too early: %v", err)
		default:
		}
		c.send(watch.Added, pod("b", "2", 8, "x"))
		if err := <-done; err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := h.WaitFor(ctx, podKind, "100"); err == nil {
			t.Error("a revision that never came")
		}
		c.out.Stop()
	})
}

func TestNextSourceTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(clientscheme.Scheme, false)
		first := newCache(t, h)
		first.list(5, pod("a", "1", 1, "x"))
		_, w := subscribe(t, h, &scope{all: true})
		second := newCache(t, h)
		if events := seen(w); !slices.Equal(events, []string{"end"}) {
			t.Errorf("saw %q", events)
		}
		second.list(9, pod("b", "2", 8, "x"))
		first.send(watch.Added, pod("late", "3", 10, "x"))
		listed, _ := subscribe(t, h, &scope{all: true})
		if len(listed) != 1 || access(listed[0]).GetName() != "b" {
			t.Errorf("listed %v", listed)
		}
		if first.source.Oldest() != 5 || second.source.Oldest() != 9 {
			t.Errorf("oldest revisions %d, %d", first.source.Oldest(), second.source.Oldest())
		}
		first.out.Stop()
		second.out.Stop()
	})
}

func TestMutationsAreFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(clientscheme.Scheme, true)
		c := newCache(t, h)
		p := pod("a", "1", 1, "x")
		c.list(5, p, pod("b", "2", 2, "x"))
		if found := h.Mutations(); len(found) != 0 {
			t.Errorf("found %q", found)
		}
		p.Labels["l"] = "scribble"
		if found := h.Mutations(); len(found) != 1 || !strings.Contains(found[0], "n/a") {
			t.Errorf("found %q", found)
		}
		c.out.Stop()
	})
}
