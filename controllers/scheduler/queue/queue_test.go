package queue

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
)

// newQueue is one with a plugin Resources, which node events help, and a
// plugin Ports, which only pods that go help.
func newQueue() *Queue {
	return New(map[string][]framework.Interest{
		"Resources": {{Actions: framework.NodeAdded}, {Actions: framework.SelfChanged}},
		"Ports": {{Actions: framework.PodRemoved, Helps: func(_ *corev1.Pod, e framework.Event) bool {
			return e.Old.(*corev1.Pod).Name == "holder"
		}}},
	})
}

func pod(name string, priority int32, gates ...string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name)}, Spec: corev1.PodSpec{Priority: &priority}}
	for _, gate := range gates {
		p.Spec.SchedulingGates = append(p.Spec.SchedulingGates, corev1.PodSchedulingGate{Name: gate})
	}
	return p
}

func set(t *testing.T, q *Queue, pods ...*corev1.Pod) {
	t.Helper()
	for _, p := range pods {
		if err := q.Set(p); err != nil {
			t.Fatal(err)
		}
		// Time passes between two, as their order depends on it.
		time.Sleep(time.Microsecond)
	}
}

// pop returns the next pod without waiting, or "".
func pop(t *testing.T, q *Queue) (string, *Item) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if item := q.Pop(ctx); item != nil {
		return item.Name, item
	}
	return "", nil
}

func expect(t *testing.T, q *Queue, want ...string) (last *Item) {
	t.Helper()
	for _, name := range want {
		got, item := pop(t, q)
		if got != name {
			t.Fatalf("popped %q, want %q", got, name)
		}
		last = item
	}
	return last
}

var (
	nodeAdded  = framework.Event{Action: framework.NodeAdded, New: &corev1.Node{}}
	holderGone = framework.Event{Action: framework.PodRemoved, Old: pod("holder", 0)}
	otherGone  = framework.Event{Action: framework.PodRemoved, Old: pod("other", 0)}
)

func TestTheMostImportantIsNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		set(t, q, pod("low", 1), pod("high", 10), pod("low-too", 1), pod("highest", 100))
		set(t, q, pod("low-too", 50))
		expect(t, q, "highest", "low-too", "high", "low", "")
	})
}

func TestPopWaitsForAPod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		popped := make(chan string)
		go func() { popped <- q.Pop(t.Context()).Name }()
		synctest.Wait()
		set(t, q, pod("p", 0))
		if name := <-popped; name != "p" {
			t.Errorf("popped %q", name)
		}
	})
}

func TestGatedPodsAreNotPopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		set(t, q, pod("p", 0, "gate"))
		q.Tell(nodeAdded)
		expect(t, q, "")
		set(t, q, pod("p", 0))
		expect(t, q, "p")
	})
}

func TestOnlyEventsThatHelpMoveAPod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		defer q.Close()
		set(t, q, pod("p", 0))
		q.Reject(expect(t, q, "p"), sets.New("Ports"))
		time.Sleep(time.Minute)
		for _, event := range []framework.Event{nodeAdded, otherGone} {
			q.Tell(event)
			expect(t, q, "")
		}
		q.Tell(holderGone)
		expect(t, q, "p")
	})
}

func TestEventsInFlightAreNotMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		defer q.Close()
		set(t, q, pod("p", 0))
		item := expect(t, q, "p")
		q.Tell(otherGone)
		q.Tell(holderGone)
		q.Reject(item, sets.New("Ports"))
		expect(t, q, "p")
		if len(q.history.events) != 0 {
			t.Errorf("%d events are kept for nobody", len(q.history.events))
		}
	})
}

func TestErrorsAreTriedAgainAfterBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		defer q.Close()
		set(t, q, pod("p", 0))
		for _, wait := range []time.Duration{1, 2, 4, 8, 10, 10} {
			q.Reject(expect(t, q, "p"), nil)
			time.Sleep(wait*time.Second - time.Millisecond)
			expect(t, q, "")
			time.Sleep(2 * time.Millisecond)
		}
	})
}

func TestAPodThatAnEventHelpsSkipsBackoffWhenNothingElseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		defer q.Close()
		set(t, q, pod("p", 0))
		q.Reject(expect(t, q, "p"), sets.New("Resources"))
		set(t, q, pod("fresh", 0))
		q.Tell(nodeAdded)
		expect(t, q, "fresh", "p", "")
	})
}

func TestForgottenPodsAreTriedAgainInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		defer q.Close()
		set(t, q, pod("p", 0))
		q.Reject(expect(t, q, "p"), sets.New("Resources"))
		time.Sleep(stale - time.Second)
		expect(t, q, "")
		time.Sleep(2 * time.Second)
		expect(t, q, "p")
	})
}

func TestAPodThatChangesInFlightComesBackChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		defer q.Close()
		set(t, q, pod("p", 0))
		item := expect(t, q, "p")
		set(t, q, pod("p", 7))
		if latest := q.Reject(item, sets.New("Resources")); latest == nil || latest.Priority != 7 {
			t.Errorf("put back: %+v", latest)
		}
		// The change itself was one that helps.
		if item := expect(t, q, "p"); item.Attempts != 2 {
			t.Errorf("attempts: %d", item.Attempts)
		}
	})
}

func TestAStatusIsNoReasonToTryAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		defer q.Close()
		set(t, q, pod("p", 0))
		item := expect(t, q, "p")
		said := pod("p", 0)
		said.Status.Message = "no room"
		set(t, q, said)
		q.Reject(item, sets.New("Resources"))
		set(t, q, pod("p", 0))
		expect(t, q, "")
	})
}

func TestADeletedPodDoesNotComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		defer q.Close()
		set(t, q, pod("waiting", 0), pod("flying", 1), pod("rejected", 2))
		q.Reject(expect(t, q, "rejected"), sets.New("Resources"))
		item := expect(t, q, "flying")
		for _, uid := range []types.UID{"waiting", "flying", "rejected", "unknown"} {
			q.Remove(uid)
		}
		if latest := q.Reject(item, nil); latest != nil {
			t.Errorf("put back: %v", latest)
		}
		q.Tell(nodeAdded)
		expect(t, q, "")
		if len(q.items)+len(q.flights) > 0 {
			t.Errorf("%d items and %d flights are left", len(q.items), len(q.flights))
		}
	})
}

func TestNominations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, q := NewNominator(), newQueue()
		set(t, q, pod("p", 0))
		item := expect(t, q, "p")
		n.Set(item.Pod, "a")
		n.Set(item.Pod, "b")
		if len(n.On("a")) != 0 || len(n.On("b")) != 1 || len(n.All()) != 1 {
			t.Errorf("on a %v, on b %v", n.On("a"), n.On("b"))
		}
		n.Set(item.Pod, "")
		if len(n.All()) != 0 {
			t.Errorf("on b %v", n.On("b"))
		}
	})
}

func TestReturnedPodComesAgainAfterItsBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		defer q.Close()
		set(t, q, pod("p", 0), pod("other", -1))
		item := expect(t, q, "p")
		q.Done("p")
		for range 1000 {
			q.Tell(nodeAdded)
		}
		if len(q.history.events) != 0 {
			t.Errorf("%d events are kept for a pod that is being bound", len(q.history.events))
		}
		// An update may have queued it anew.
		set(t, q, pod("p", 7))
		q.Return(item, item.Pod)
		expect(t, q, "other", "")
		time.Sleep(firstBackoff)
		if item := expect(t, q, "p"); item.Attempts != 2 || len(q.items) != 0 {
			t.Errorf("%d attempts, %d items are left", item.Attempts, len(q.items))
		}
		// In flight again, an earlier attempt has no say.
		q.Return(item, item.Pod)
		if len(q.items) != 0 {
			t.Error("the pod waits while it is in flight")
		}
	})
}

func TestAPanickingHintIsNoNo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(map[string][]framework.Interest{"Broken": {{
			Actions: framework.NodeAdded, Helps: func(p *corev1.Pod, _ framework.Event) bool { panic(p.Name) },
		}}})
		defer q.Close()
		set(t, q, pod("a", 1), pod("b", 0))
		for range 2 {
			_, item := pop(t, q)
			q.Reject(item, sets.New("Broken"))
		}
		q.Tell(nodeAdded)
		if !q.Ready("a") || !q.Ready("b") {
			t.Error("the event did not reach all")
		}
	})
}
