// Package queue holds the pods that wait for a node and says which is next.
//
// A pod is in one of four places: active (ready, by priority), backing off,
// unschedulable (until an event may help it) or gated. One that has been
// popped is in flight until it is rejected or done, and what happens
// meanwhile is kept for it, so that no event is missed.
package queue

import (
	"container/heap"
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
	"github.com/coracle-k8s/coracle/guard"
)

const (
	firstBackoff = time.Second
	longBackoff  = 10 * time.Second
	// stale is how long a pod stays unschedulable without any event: a net under wrong hints.
	stale = 5 * time.Minute
)

type place int

const (
	nowhere place = iota
	active
	backingOff
	unschedulable
	gated
)

// Item is a pod that waits, and its history. Only its holder may read it:
// the queue, or between Pop and Reject or Done who popped it.
type Item struct {
	*snapshot.Pod
	// Attempts counts how often the pod has been popped, Since is when it came first.
	Attempts int
	Since    time.Time

	place    place
	index    int
	queued   time.Time
	backoff  time.Time
	failed   bool
	rejected sets.Set[string]
}

// Queue is safe for concurrent use; one caller pops.
type Queue struct {
	interests map[string][]framework.Interest

	mu       sync.Mutex
	wake     sync.Cond
	items    map[types.UID]*Item
	active   *itemHeap
	backoff  *itemHeap
	flights  map[types.UID]*flight
	history  history
	deadline *time.Timer
	armed    time.Time
	closed   bool
}

// flight is a popped pod and what has become of it meanwhile.
type flight struct {
	since   uint64
	latest  *snapshot.Pod
	deleted bool
}

// New returns an empty queue. Interests say, by plugin, which events may help
// pods that the plugin rejected.
func New(interests map[string][]framework.Interest) *Queue {
	q := &Queue{
		interests: interests,
		items:     map[types.UID]*Item{},
		active:    &itemHeap{less: byPriority},
		backoff:   &itemHeap{less: byBackoff},
		flights:   map[types.UID]*flight{},
	}
	q.wake.L = &q.mu
	return q
}

// Set adds a pod, or tells of its new state. The error is about malformed
// affinity; the pod is queued nevertheless.
func (q *Queue) Set(pod *corev1.Pod) error {
	parsed, err := snapshot.NewPod(pod)
	q.mu.Lock()
	defer q.mu.Unlock()
	if f, flying := q.flights[pod.UID]; flying {
		if asksDifferently(f.latest.Pod, pod) {
			q.history.add(framework.Event{Action: framework.SelfChanged, Old: f.latest.Pod, New: pod})
		}
		f.latest = parsed
		return err
	}
	item, known := q.items[pod.UID]
	if !known {
		now := time.Now()
		item = &Item{Pod: parsed, Since: now, queued: now}
		q.items[pod.UID] = item
		q.enter(item)
		return err
	}
	old := item.Pod
	item.Pod = parsed
	switch item.place {
	case active:
		heap.Fix(q.active, item.index)
	case gated:
		if len(pod.Spec.SchedulingGates) == 0 {
			q.move(item, active)
		}
	case unschedulable:
		if asksDifferently(old.Pod, pod) && q.helps(item, framework.Event{Action: framework.SelfChanged, Old: old.Pod, New: pod}) {
			q.ready(item)
		}
	}
	return err
}

// asksDifferently says whether a pod wants something else than before. What
// only its status says, often by the scheduler itself, is no reason to try again.
func asksDifferently(old, pod *corev1.Pod) bool {
	return !equality.Semantic.DeepEqual(old.Spec, pod.Spec) || !equality.Semantic.DeepEqual(old.Labels, pod.Labels)
}

// Remove forgets a pod. It does nothing for an unknown one.
func (q *Queue) Remove(uid types.UID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if item, known := q.items[uid]; known {
		q.move(item, nowhere)
		delete(q.items, uid)
	}
	if f, flying := q.flights[uid]; flying {
		f.deleted = true
	}
}

// Pop takes the next pod, waiting for one. It returns nil when the context ends.
func (q *Queue) Pop(ctx context.Context) *Item {
	defer context.AfterFunc(ctx, func() { guard.Insist("ending the wait for pods", q.wakeAll) })()
	q.mu.Lock()
	defer q.mu.Unlock()
	for ctx.Err() == nil {
		if item := q.next(); item != nil {
			q.move(item, nowhere)
			delete(q.items, item.UID)
			item.Attempts++
			q.flights[item.UID] = &flight{since: q.history.next(), latest: item.Pod}
			return item
		}
		q.wake.Wait()
	}
	return nil
}

func (q *Queue) wakeAll() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wake.Broadcast()
}

// next is the first of the active pods; when there is none, of those that
// back off for want of a node: waiting longer would help nobody.
func (q *Queue) next() *Item {
	if q.active.Len() > 0 {
		return q.active.items[0]
	}
	if q.backoff.Len() > 0 && !q.backoff.items[0].failed {
		return q.backoff.items[0]
	}
	return nil
}

// Done ends the flight of a pod for which a node is chosen, or that needs none any more. Nothing is kept for it from now
// on: if it cannot be bound after all, it comes back by Return.
func (q *Queue) Done(uid types.UID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.land(uid)
}

// Reject puts a popped pod back: to wait for an event that may satisfy one of
// the plugins that rejected it. Without plugins it was an error, and is tried
// again after its backoff. It returns the pod as it is now, nil when it is gone.
func (q *Queue) Reject(item *Item, plugins sets.Set[string]) *snapshot.Pod {
	q.mu.Lock()
	defer q.mu.Unlock()
	f, flying := q.flights[item.UID]
	if !flying || f.deleted {
		q.land(item.UID)
		return nil
	}
	now := time.Now()
	item.Pod, item.queued, item.rejected, item.failed = f.latest, now, plugins, plugins.Len() == 0
	item.backoff = now.Add(backoffAfter(item.Attempts))
	q.items[item.UID] = item
	switch {
	case len(item.Spec.SchedulingGates) > 0:
		q.move(item, gated)
	case item.failed || q.history.any(f.since, func(e framework.Event) bool { return q.helps(item, e) }):
		q.ready(item)
	default:
		q.move(item, unschedulable)
		q.arm(now.Add(stale))
	}
	q.land(item.UID)
	return item.Pod
}

// Return puts a pod back after its flight has ended, for another try after its backoff. pod is its present state.
func (q *Queue) Return(item *Item, pod *snapshot.Pod) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, flying := q.flights[pod.UID]; flying {
		return
	}
	if known := q.items[pod.UID]; known != nil {
		q.move(known, nowhere)
	}
	now := time.Now()
	item.Pod, item.queued, item.rejected, item.failed = pod, now, nil, true
	item.backoff = now.Add(backoffAfter(item.Attempts))
	q.items[pod.UID] = item
	if len(pod.Spec.SchedulingGates) > 0 {
		q.move(item, gated)
		return
	}
	q.ready(item)
}

// Has says whether a pod waits, or is being tried.
func (q *Queue) Has(uid types.UID) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	f, flying := q.flights[uid]
	return q.items[uid] != nil || flying && !f.deleted
}

// Ready says whether a pod waits for nothing but its turn, or its backoff.
func (q *Queue) Ready(uid types.UID) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	item := q.items[uid]
	return item != nil && (item.place == active || item.place == backingOff)
}

// Tell moves the pods that an event may help.
func (q *Queue) Tell(event framework.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.flights) > 0 {
		q.history.add(event)
	}
	for _, item := range q.items {
		if item.place == unschedulable && q.helps(item, event) {
			q.ready(item)
		}
	}
}

// Activate makes a waiting pod ready at once.
func (q *Queue) Activate(uid types.UID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if item, known := q.items[uid]; known && item.place != gated && item.place != active {
		q.move(item, active)
	}
}

func (q *Queue) land(uid types.UID) {
	delete(q.flights, uid)
	oldest := q.history.next()
	for _, f := range q.flights {
		oldest = min(oldest, f.since)
	}
	q.history.dropBefore(oldest)
}

func (q *Queue) enter(item *Item) {
	if len(item.Spec.SchedulingGates) > 0 {
		q.move(item, gated)
		return
	}
	q.move(item, active)
}

// ready makes a pod active, after its backoff.
func (q *Queue) ready(item *Item) {
	if item.backoff.After(time.Now()) {
		q.move(item, backingOff)
		q.arm(item.backoff)
		return
	}
	q.move(item, active)
}

func (q *Queue) move(item *Item, to place) {
	switch item.place {
	case active:
		heap.Remove(q.active, item.index)
	case backingOff:
		heap.Remove(q.backoff, item.index)
	}
	item.place = to
	switch to {
	case active:
		heap.Push(q.active, item)
		q.wake.Signal()
	case backingOff:
		heap.Push(q.backoff, item)
		q.wake.Signal()
	}
}

// helps says whether an event may satisfy one of the plugins that rejected a pod.
func (q *Queue) helps(item *Item, event framework.Event) bool {
	if event.Action == framework.SelfChanged {
		if changed, ok := event.New.(*corev1.Pod); !ok || changed.UID != item.UID {
			return false
		}
	}
	for plugin := range item.rejected {
		for _, interest := range q.interests[plugin] {
			if interest.Actions&event.Action != 0 && (interest.Helps == nil || hint(interest, item.Pod.Pod, event)) {
				return true
			}
		}
	}
	return false
}

// hint asks a plugin. One that panics cannot say no: the pod is tried once more, and the others get to know of the event.
func hint(interest framework.Interest, pod *corev1.Pod, event framework.Event) (helps bool) {
	return !guard.Do("scheduling hint", func() { helps = interest.Helps(pod, event) }) || helps
}
