package pods

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// The delays between restarts of a container that keeps ending.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
const (
	firstBackoff = 10 * time.Second
	lastBackoff  = 300 * time.Second
	// backoffMemory is how long a container must have run for its delay to begin anew.
	backoffMemory = 2 * lastBackoff
)

// backoffs holds the delays of one Pod's containers. A new image is a new container.
type backoffs struct {
	mu      sync.Mutex
	entries map[string]backoff
}

type backoff struct {
	delay time.Duration
	since time.Time // when the delay was last made longer: at the container's start
}

// left returns the delay in force after an end, and what is left of it.
func (b *backoffs) left(c *corev1.Container, ended, now time.Time) (delay, left time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.entries[runtime.Hash(c)]
	if !ok || ended.Sub(e.since) > backoffMemory {
		return 0, 0
	}
	// An end may be in the future: the clock went back since.
	return e.delay, min(e.delay, max(0, e.delay-now.Sub(ended)))
}

// started makes the delay before the next restart longer. ended is when the instance before this one ended.
func (b *backoffs) started(c *corev1.Container, ended, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.entries == nil {
		b.entries = map[string]backoff{}
	}
	key := runtime.Hash(c)
	e, ok := b.entries[key]
	if !ok || ended.Sub(e.since) > backoffMemory {
		e.delay = firstBackoff
	} else {
		e.delay = min(2*e.delay, lastBackoff)
	}
	e.since = now
	b.entries[key] = e
}
