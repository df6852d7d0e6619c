package images

import (
	"slices"
	"testing"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func TestExcess(t *testing.T) {
	for name, c := range map[string]struct {
		t    Thresholds
		u    usage
		want uint64
	}{
		"room":                 {Thresholds{}, usage{1000, 500}, 0},
		"just below":           {Thresholds{}, usage{1000, 151}, 0},
		"full":                 {Thresholds{}, usage{1000, 150}, 50},
		"never":                {Thresholds{HighPercent: 100}, usage{1000, 0}, 0},
		"own percentages":      {Thresholds{HighPercent: 60, LowPercent: 50}, usage{1000, 300}, 200},
		"too few bytes":        {Thresholds{HighPercent: 100, LowPercent: 100, MinFree: 300}, usage{1000, 200}, 100},
		"enough bytes":         {Thresholds{HighPercent: 100, LowPercent: 100, MinFree: 300}, usage{1000, 300}, 0},
		"more free than total": {Thresholds{}, usage{1000, 2000}, 0},
		"no file system":       {Thresholds{}, usage{}, 0},
	} {
		if got := c.t.withDefaults().excess(c.u); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestPick(t *testing.T) {
	now := time.Now()
	images := []*runtimeapi.Image{{Id: "new", Size: 10}, {Id: "old", Size: 10}, {Id: "oldest", Size: 10}}
	used := map[string]time.Time{"new": now, "old": now.Add(-time.Hour), "oldest": now.Add(-2 * time.Hour)}
	for enough, want := range map[uint64][]string{0: nil, 5: {"oldest"}, 10: {"oldest"}, 11: {"oldest", "old"}, 1000: {"oldest", "old"}} {
		var got []string
		for _, i := range pick(images, used, now.Add(-time.Minute), enough) {
			got = append(got, i.Id)
		}
		if !slices.Equal(got, want) {
			t.Errorf("for %d bytes: %v, want %v", enough, got, want)
		}
	}
}
