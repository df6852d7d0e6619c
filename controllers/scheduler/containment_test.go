package scheduler

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/events"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/queue"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

// mine is a plugin made of functions.
type mine struct {
	framework.Opinion
	interests []framework.Interest
}

func (mine) Name() string                      { return "Mine" }
func (m mine) Interests() []framework.Interest { return m.interests }
func (m mine) Prepare(*snapshot.Pod, *snapshot.Snapshot) (framework.Opinion, *framework.Status) {
	return m.Opinion, nil
}

// withPlugin is a scheduler that does not run, of one plugin and so many nodes.
func withPlugin(t *testing.T, nodes int, plugin mine) *Scheduler {
	t.Helper()
	client := newClient()
	s := newScheduler(t, client, plugin)
	for i := range nodes {
		s.cache.SetNode(node(fmt.Sprintf("node-%d", i), "4"))
	}
	return s
}

func newScheduler(t *testing.T, client *fake.Clientset, plugin mine) *Scheduler {
	t.Helper()
	s, err := New(Config{Informers: informers.NewSharedInformerFactory(client, 0), Client: client, Events: events.NewFakeRecorder(1000)})
	if err != nil {
		t.Fatal(err)
	}
	s.plugins = []framework.Weighted{{Plugin: plugin}}
	s.queue = queue.New(map[string][]framework.Interest{plugin.Name(): plugin.Interests()})
	return s
}

func TestAPanickingFilterFailsTheAttemptOnly(t *testing.T) {
	for _, nodes := range []int{manyNodes - 1, manyNodes} {
		t.Run(fmt.Sprintf("%d nodes", nodes), func(t *testing.T) {
			s := withPlugin(t, nodes, mine{Opinion: framework.Opinion{Filter: func(node *snapshot.Node) *framework.Status {
				if node.Name == "node-7" {
					panic("a malformed node")
				}
				return nil
			}}})
			if err := s.queue.Set(pod("p", "1")); err != nil {
				t.Fatal(err)
			}
			item := s.queue.Pop(t.Context())
			s.attempt(t.Context(), item)
			if !s.queue.Has("p") || s.cache.Holds("p") {
				t.Error("the pod does not wait for another attempt")
			}
			if event := <-s.events.(*events.FakeRecorder).Events; !strings.Contains(event, "a malformed node") {
				t.Errorf("event %q", event)
			}
		})
	}
}

func TestAPanicWhilePlacingGivesBackWhatWasTaken(t *testing.T) {
	taken := true
	s := withPlugin(t, 1, mine{Opinion: framework.Opinion{
		Reserve:   func(*snapshot.Node) *framework.Status { panic("in the middle") },
		Unreserve: func() { taken = false },
	}})
	if err := s.queue.Set(pod("p", "1")); err != nil {
		t.Fatal(err)
	}
	s.attempt(t.Context(), s.queue.Pop(t.Context()))
	if taken || !s.queue.Has("p") {
		t.Error("something is still taken, or the pod is lost")
	}
}

func TestAPanicInAHandlerCostsOneEvent(t *testing.T) {
	var seen []string
	h := handler[*corev1.Pod]{
		set: func(_, p *corev1.Pod) {
			if p.Name == "malformed" {
				panic(p.Name)
			}
			seen = append(seen, p.Name)
		},
		gone: func(p *corev1.Pod) { panic(p.Name) },
	}
	h.OnAdd(pod("malformed", "1"), false)
	h.OnDelete(pod("malformed", "1"))
	h.OnAdd(pod("p", "1"), false)
	if fmt.Sprint(seen) != "[p]" {
		t.Errorf("seen: %v", seen)
	}
}

// waiting is a plugin that has pods wait before they are bound, for as long as their context lasts.
func waiting(began chan<- string) mine {
	return mine{Opinion: framework.Opinion{BeforeBinding: func(ctx context.Context, _ *corev1.Node) error {
		began <- "waiting"
		<-ctx.Done()
		began <- context.Cause(ctx).Error()
		return context.Cause(ctx)
	}}}
}

// run runs a scheduler until the test ends, or what it returns is called, which waits for it.
func run(t *testing.T, s *Scheduler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(time.Minute):
			t.Fatal("the scheduler did not end within a minute")
		}
		s.informers.Shutdown()
	}
}

func TestStoppingDoesNotWaitForVolumes(t *testing.T) {
	began := make(chan string, 2)
	client := newClient(node("n", "2"), pod("p", "1"))
	stop := run(t, newScheduler(t, client, waiting(began)))
	hear(t, began, "waiting")
	stop()
	hear(t, began, context.Canceled.Error())
	for _, action := range client.Actions() {
		if action.GetSubresource() == "binding" {
			t.Error("the pod was bound without its volume")
		}
	}
}

func TestADeletedPodWaitsForNoVolume(t *testing.T) {
	began := make(chan string, 2)
	client := newClient(node("n", "2"), pod("p", "1"))
	s := newScheduler(t, client, waiting(began))
	defer run(t, s)()
	hear(t, began, "waiting")
	untilWatched(t, client, "pods", 1)
	if err := client.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), "ns", "p"); err != nil {
		t.Fatal(err)
	}
	hear(t, began, errPodGone.Error())
}

func hear(t *testing.T, from <-chan string, want string) {
	t.Helper()
	select {
	case got := <-from:
		if got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	case <-time.After(time.Minute):
		t.Fatalf("did not hear %q within a minute", want)
	}
}

// TestAPodThatCannotBeBoundIsTriedAgain has a first binding that fails, as the API server's refusals, or panics.
func TestAPodThatCannotBeBoundIsTriedAgain(t *testing.T) {
	for name, failure := range map[string]func() error{
		"refused": func() error { return errors.New("no") },
		"a panic": func() error { panic("in the client") },
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(node("n", "2"))
			failed := false
			client.PrependReactor("create", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
				if action.GetSubresource() != "binding" || failed {
					return false, nil, nil
				}
				failed = true
				return true, nil, failure()
			})
			w := startWorld(t, client)
			w.create(pod("p", "2"))
			w.untilOn("p", "n")
		})
	}
}

func TestEventsAreNotKeptWhileAPodWaitsForItsVolume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := make(chan string, 2)
		s := withPlugin(t, 1, waiting(began))
		if err := s.queue.Set(pod("p", "1")); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		s.attempt(ctx, s.queue.Pop(ctx))
		<-began
		if s.queue.Has("p") {
			t.Error("the pod is in flight: events are kept for it")
		}
		cancel()
		s.bindings.Wait()
		s.queue.Close()
	})
}

func TestWhomAPromiseKeptOutIsToldThatItIsVoid(t *testing.T) {
	promise := func(s *Scheduler) *corev1.Pod {
		p := pod("promised", "4", priority(100), func(p *corev1.Pod) { p.Status.NominatedNodeName = "node-0" })
		s.podSet(nil, p)
		return p
	}
	for name, void := range map[string]func(*Scheduler, *corev1.Pod){
		"by deletion": func(s *Scheduler, p *corev1.Pod) { s.podGone(p) },
		"as it leaves": func(s *Scheduler, p *corev1.Pod) {
			gone := p.DeepCopy()
			gone.DeletionTimestamp = &gone.CreationTimestamp
			s.podSet(p, gone)
		},
		"by the API": func(s *Scheduler, p *corev1.Pod) {
			free := p.DeepCopy()
			free.Status.NominatedNodeName = ""
			s.podSet(p, free)
		},
		"for another": func(s *Scheduler, p *corev1.Pod) {
			moved := p.DeepCopy()
			moved.Status.NominatedNodeName = "x"
			s.podSet(p, moved)
		},
		"by the search": func(s *Scheduler, p *corev1.Pod) { s.tellFailure(t.Context(), parsed(t, p), &rejection{settled: true}) },
	} {
		t.Run(name, func(t *testing.T) {
			s := withPlugin(t, 1, mine{interests: []framework.Interest{{Actions: framework.PodRemoved}}, Opinion: framework.Opinion{
				Filter: func(node *snapshot.Node) *framework.Status {
					if len(node.Pods) > 0 {
						return framework.Reject(framework.Unschedulable, "taken")
					}
					return nil
				},
			}})
			p := promise(s)
			if item := s.queue.Pop(t.Context()); item.Name != p.Name { // as it waits for its room
				t.Fatalf("popped %s", item.Name)
			} else {
				s.queue.Return(item, item.Pod)
			}
			if err := s.queue.Set(pod("low", "1", priority(50))); err != nil {
				t.Fatal(err)
			}
			s.attempt(t.Context(), s.queue.Pop(t.Context()))
			if s.queue.Ready("low") {
				t.Fatal("the promise kept nobody out")
			}
			void(s, p)
			if !s.queue.Ready("low") {
				t.Error("nobody told the other pod")
			}
		})
	}
}

func TestNoPromiseOutlivesItsPod(t *testing.T) {
	s := withPlugin(t, 1, mine{})
	s.nominate(parsed(t, pod("gone", "1")), "node-0")
	if all := s.nominated.All(); len(all) != 0 {
		t.Errorf("promises %v", all)
	}
}

func TestARemovedNodeWakesWhoSpreads(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"a", "b"} {
		n := node(name, "4")
		n.Labels = map[string]string{"zone": name}
		n.Spec.Unschedulable = name == "b"
		if _, err := w.client.CoreV1().Nodes().Create(t.Context(), n, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	spread := func(p *corev1.Pod) {
		p.Labels = map[string]string{"app": "x"}
		p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: &metav1.LabelSelector{MatchLabels: p.Labels},
		}}
	}
	w.create(pod("1", "1", spread))
	w.untilOn("1", "a")
	w.create(pod("2", "1", spread))
	w.untilRejected("2", "didn't match pod topology spread constraints")
	if err := w.client.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("nodes"), "", "b"); err != nil {
		t.Fatal(err)
	}
	w.untilOn("2", "a")
}
