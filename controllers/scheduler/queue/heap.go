package queue

// itemHeap orders items for container/heap, and tells them where they are.
type itemHeap struct {
	less  func(a, b *Item) bool
	items []*Item
}

// byPriority puts the most important first, then who has waited longest.
func byPriority(a, b *Item) bool {
	if a.Priority != b.Priority {
		return a.Priority > b.Priority
	}
	return a.queued.Before(b.queued)
}

// byBackoff puts pods that lack a node before those that met an error, then by time.
func byBackoff(a, b *Item) bool {
	if a.failed != b.failed {
		return !a.failed
	}
	return a.backoff.Before(b.backoff)
}

func (h *itemHeap) Len() int           { return len(h.items) }
func (h *itemHeap) Less(i, j int) bool { return h.less(h.items[i], h.items[j]) }

func (h *itemHeap) Swap(i, j int) {
	h.items[i], h.items[j] = h.items[j], h.items[i]
	h.items[i].index, h.items[j].index = i, j
}

func (h *itemHeap) Push(x any) {
	item := x.(*Item)
	item.index = len(h.items)
	h.items = append(h.items, item)
}

func (h *itemHeap) Pop() any {
	last := len(h.items) - 1
	item := h.items[last]
	h.items[last] = nil
	h.items = h.items[:last]
	return item
}
