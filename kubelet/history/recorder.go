package history

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/kubelet/meter"
)

const (
	// every is how often it is measured, at whole minutes: nodes' histories are of the same moments, and a machine wakes up once for all.
	every = time.Minute
	// soon is how often while somebody watches.
	soon = 10 * time.Second
	// least is the time between two readings: over less, counters say too little.
	least = 2 * time.Second
)

// Config says what there is to measure.
type Config struct {
	NodeName string
	// Machine tells what the node as a whole has used.
	Machine func() (meter.Use, error)
	// Pods are those that the node has, ended ones too. They are read only.
	Pods func() []*corev1.Pod
	// Pod tells what one has used. It is called on one goroutine.
	Pod func(types.UID) (meter.Use, error)
}

// Recorder measures, and remembers.
type Recorder struct {
	Config
	wake chan struct{} // somebody watches since now

	mu       sync.Mutex
	book     *book
	watchers int
	changed  chan struct{} // closed at the next reading
}

// New returns a recorder that knows nothing yet.
func New(c Config) *Recorder {
	return &Recorder{Config: c, wake: make(chan struct{}, 1), book: newBook(), changed: make(chan struct{})}
}

// Run measures until ctx ends.
func (r *Recorder) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-r.wake:
		}
		now := time.Now()
		if r.due(now) {
			r.measure(now)
		}
		timer.Reset(time.Until(r.next(time.Now())))
	}
}

// step is the time between readings.
func (r *Recorder) step() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watchers > 0 {
		return soon
	}
	return every
}

// due says whether a reading should be made: the last is of another step.
func (r *Recorder) due(now time.Time) bool {
	step := r.step()
	r.mu.Lock()
	defer r.mu.Unlock()
	return now.Sub(r.book.last) >= least && !now.Truncate(step).Equal(r.book.last.Truncate(step))
}

// next is when the next reading is to be made.
func (r *Recorder) next(now time.Time) time.Time {
	step := r.step()
	r.mu.Lock()
	defer r.mu.Unlock()
	begins := now.Add(now.Truncate(step).Add(step).Sub(now.Round(0))) // by the clock that only goes forward
	return latest(begins, r.book.last.Add(least))
}

// measure reads what counters say, which takes a moment, and notes it.
func (r *Recorder) measure(now time.Time) {
	var node reading
	if use, err := r.Machine(); err == nil {
		node = reading{time.Now(), use}
	}
	list := r.Pods()
	pods := make([]measured, 0, len(list))
	for _, p := range list {
		m := measured{uid: p.UID, namespace: p.Namespace, name: p.Name}
		// A Pod that has ended, or not begun, has no cgroup; one that cannot be read has no figure.
		if use, err := r.Pod(p.UID); err == nil {
			m.reading, m.ok = reading{time.Now(), use}, true
		}
		pods = append(pods, m)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	minute := !now.Truncate(every).Equal(r.book.last.Truncate(every))
	r.book.enter(now, minute, node, pods)
	close(r.changed)
	r.changed = make(chan struct{})
}

// Hour is what is known of the last hour, of the node and of one Pod or, where that is "", of all.
func (r *Recorder) Hour(pod types.UID) *History {
	h, _, _ := r.since(time.Time{}, pod)
	return h
}

// Follow tells the last hour and then, until ctx ends or tell fails, what was measured since the time before. It is measured more often
// while somebody follows.
func (r *Recorder) Follow(ctx context.Context, pod types.UID, tell func(*History) error) error {
	r.watch(1)
	defer r.watch(-1)
	for last := (time.Time{}); ; {
		h, until, changed := r.since(last, pod)
		if err := tell(h); err != nil {
			return err
		}
		last = until
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

func (r *Recorder) watch(more int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watchers += more
	select {
	case r.wake <- struct{}{}:
	default: // it will look
	}
}

// since returns what was measured after a time, until when that is, and what is closed when there is more.
func (r *Recorder) since(after time.Time, pod types.UID) (*History, time.Time, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.book.since(after, pod)
	h.NodeName = r.NodeName
	return h, r.book.last, r.changed
}
