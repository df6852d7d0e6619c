package queue

import "github.com/coracle-k8s/coracle/controllers/scheduler/framework"

// history numbers the events that pods in flight may have missed.
type history struct {
	first  uint64
	events []framework.Event
}

// next is the number that the next event gets.
func (h *history) next() uint64 { return h.first + uint64(len(h.events)) }

func (h *history) add(event framework.Event) { h.events = append(h.events, event) }

func (h *history) any(since uint64, match func(framework.Event) bool) bool {
	for _, event := range h.events[min(since-h.first, uint64(len(h.events))):] {
		if match(event) {
			return true
		}
	}
	return false
}

func (h *history) dropBefore(number uint64) {
	n := number - h.first
	if n == 0 {
		return
	}
	h.events = append(h.events[:0:0], h.events[n:]...)
	h.first = number
}
