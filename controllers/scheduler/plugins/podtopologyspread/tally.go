package podtopologyspread

import "math"

// tally counts pods for each value of a label, and knows the smallest count, which every node is compared with.
type tally struct {
	of map[string]int64
	// values is how many values have each count.
	values map[int64]int
	least  int64
}

// add changes the count of a value, which with its first pods, or none, comes to be known.
func (t *tally) add(value string, by int64) {
	if t.of == nil {
		t.of, t.values = map[string]int64{}, map[int64]int{}
	}
	before, known := t.of[value]
	if known {
		if by == 0 {
			return
		}
		if t.values[before]--; t.values[before] == 0 {
			delete(t.values, before)
		}
	}
	now := before + by
	t.of[value] = now
	t.values[now]++
	switch {
	case len(t.of) == 1 || now < t.least:
		t.least = now
	case known && before == t.least && t.values[before] == 0:
		t.least = smallest(t.values)
	}
}

func smallest(counts map[int64]int) int64 {
	least := int64(math.MaxInt64)
	for count := range counts {
		least = min(least, count)
	}
	return least
}
