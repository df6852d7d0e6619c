package podsapi

import (
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
)

// waiting is how many changes may wait for a client before it is given up.
const waiting = 100

// Changes passes on what becomes of Pods to those who watch. While nobody does, a change costs one look at a number.
type Changes struct {
	// Dropped is told of each change that did not reach a client; may be nil.
	Dropped func()

	count   atomic.Int32
	mu      sync.Mutex
	clients map[chan change]bool
}

// change is a Pod as it is now, or that it is no more. The Pod is shared, and read only; its status is the one beside it.
type change struct {
	pod    *corev1.Pod
	status corev1.PodStatus
	gone   bool
}

// Pod tells how a Pod is now.
func (c *Changes) Pod(pod *corev1.Pod, status corev1.PodStatus) {
	c.tell(change{pod: pod, status: status})
}

// Gone tells that a Pod is no more.
func (c *Changes) Gone(pod *corev1.Pod) { c.tell(change{pod: pod, gone: true}) }

// tell waits for nobody: who does not keep up is given up, and can begin again.
func (c *Changes) tell(one change) {
	if c == nil || c.count.Load() == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for client := range c.clients {
		select {
		case client <- one:
		default:
			c.drop(client)
			if c.Dropped != nil {
				c.Dropped()
			}
		}
	}
}

// watch returns what is told from now on, which is closed when the client does not keep up, and how to end that.
func (c *Changes) watch() (<-chan change, func()) {
	client := make(chan change, waiting)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clients == nil {
		c.clients = map[chan change]bool{}
	}
	c.clients[client] = true
	c.count.Add(1)
	return client, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.drop(client)
	}
}

// drop ends a client's watch. The lock is held.
func (c *Changes) drop(client chan change) {
	if c.clients[client] {
		delete(c.clients, client)
		c.count.Add(-1)
		close(client)
	}
}
