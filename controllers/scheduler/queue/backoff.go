package queue

import (
	"time"

	"github.com/coracle-k8s/coracle/guard"
)

// backoffAfter is how long a pod waits after so many attempts.
func backoffAfter(attempts int) time.Duration {
	wait := firstBackoff
	for i := 1; i < attempts && wait < longBackoff; i++ {
		wait *= 2
	}
	return min(wait, longBackoff)
}

// arm makes the queue look at its deadlines at the given time or before.
// There is no timer while no pod waits.
func (q *Queue) arm(at time.Time) {
	if q.closed {
		return
	}
	if q.deadline == nil {
		q.deadline = time.AfterFunc(time.Until(at), func() { guard.Insist("moving pods whose backoff has ended", q.expire) })
		q.armed = at
		return
	}
	if at.Before(q.armed) {
		q.deadline.Reset(time.Until(at))
		q.armed = at
	}
}

// expire moves the pods whose time has come, and arms the next deadline.
func (q *Queue) expire() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.deadline = nil
	now := time.Now()
	var next time.Time
	sooner := func(at time.Time) {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	for _, item := range q.items {
		switch item.place {
		case backingOff:
			if !item.backoff.After(now) {
				q.move(item, active)
			} else {
				sooner(item.backoff)
			}
		case unschedulable:
			if at := item.queued.Add(stale); !at.After(now) {
				q.ready(item)
			} else {
				sooner(at)
			}
		}
	}
	if !next.IsZero() {
		q.arm(next)
	}
}

// Close stops the queue's timer.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	if q.deadline != nil {
		q.deadline.Stop()
		q.deadline = nil
	}
}
