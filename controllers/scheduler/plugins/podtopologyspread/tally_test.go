package podtopologyspread

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestLeastIsTheSmallestCount(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var counted tally
		naive := map[string]int64{}
		for range 100 {
			value, by := fmt.Sprint(random.IntN(6)), random.Int64N(5)-1
			if naive[value]+by < 0 {
				continue
			}
			naive[value] += by
			counted.add(value, by)
			if want := slices.Min(slices.Collect(maps.Values(naive))); counted.least != want || !maps.Equal(counted.of, naive) {
				t.Fatalf("least %d of %v, want %d of %v", counted.least, counted.of, want, naive)
			}
		}
	}
}
