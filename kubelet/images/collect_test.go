package images

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	internalapi "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func TestExcess(t *testing.T) {
	for name, c := range map[string]struct {
		t    Thresholds
		d    Disk
		want int64
	}{
		"room":                     {Thresholds{}, Disk{1000, 500}, 0},
		"just below":               {Thresholds{}, Disk{1000, 160}, 0},
		"full":                     {Thresholds{}, Disk{1000, 150}, 50},
		"at 100 only when full":    {Thresholds{HighPercent: 100}, Disk{1000, 10}, 0},
		"own percentages":          {Thresholds{HighPercent: 60, LowPercent: 50}, Disk{1000, 300}, 200},
		"high below the usual low": {Thresholds{HighPercent: 60}, Disk{1000, 300}, 100},
		"more free than total":     {Thresholds{}, Disk{1000, 2000}, 0},
		"no file system":           {Thresholds{}, Disk{}, 0},
	} {
		if got := c.t.withDefaults().excess(c.d); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestPick(t *testing.T) {
	now := time.Now()
	images := []*runtimeapi.Image{{Id: "new", Size: 10}, {Id: "old", Size: 10}, {Id: "oldest", Size: 10}}
	used := map[string]time.Time{"new": now, "old": now.Add(-time.Hour), "oldest": now.Add(-2 * time.Hour)}
	for enough, want := range map[int64]struct {
		images []string
		young  bool
	}{
		0: {}, 5: {[]string{"oldest"}, false}, 10: {[]string{"oldest"}, false}, 11: {[]string{"oldest", "old"}, false},
		1000: {[]string{"oldest", "old"}, true},
	} {
		var got []string
		chosen, young := pick(images, used, now.Add(-time.Minute), enough)
		for _, i := range chosen {
			got = append(got, i.Id)
		}
		if !slices.Equal(got, want.images) || young != want.young {
			t.Errorf("for %d bytes: %v, others too young: %v; want %v", enough, got, young, want)
		}
	}
}

// stock is a runtime that has images.
type stock struct {
	internalapi.ImageManagerService
	internalapi.RuntimeService
	images     []*runtimeapi.Image
	containers []*runtimeapi.Container
	listed     int
	broken     error
}

// Close is in both interfaces.
func (s *stock) Close(context.Context) error { return nil }

func (s *stock) ListImages(context.Context, *runtimeapi.ImageFilter) ([]*runtimeapi.Image, error) {
	s.listed++
	return s.images, nil
}

func (s *stock) ListContainers(context.Context, *runtimeapi.ContainerFilter) ([]*runtimeapi.Container, error) {
	return s.containers, nil
}

func (s *stock) RemoveImage(_ context.Context, spec *runtimeapi.ImageSpec) error {
	if s.broken != nil {
		return s.broken
	}
	s.images = slices.DeleteFunc(slices.Clone(s.images), func(i *runtimeapi.Image) bool { return i.Id == spec.Image })
	return nil
}

func (s *stock) left() string {
	var ids []string
	for _, i := range s.images {
		ids = append(ids, i.Id)
	}
	return strings.Join(ids, " ")
}

func newStock() *stock {
	return &stock{
		images: []*runtimeapi.Image{
			{Id: "running", Size: 100}, {Id: "pause", Size: 100, Pinned: true},
			{Id: "volume", Size: 100, RepoTags: []string{"docker.io/library/data:latest"}},
			{Id: "a", Size: 100}, {Id: "b", Size: 100},
		},
		containers: []*runtimeapi.Container{{Id: "1", ImageId: "running"}},
	}
}

// collector has a stock, looks at its disk every 10 seconds and counts Events.
func collector(s *stock) (c *Collector, pass func(Disk, time.Duration), events *[]string) {
	events = &[]string{}
	c = NewCollector(CollectorConfig{
		Images: s, Runtime: s, Mounted: func() []string { return []string{"data"} },
		Event: func(kind, reason, message string) { *events = append(*events, reason) },
	})
	c.Seen(s.images)
	pass = func(d Disk, span time.Duration) {
		for end := time.Now().Add(span); time.Now().Before(end); time.Sleep(10 * time.Second) {
			c.Look(d)
			synctest.Wait()
		}
	}
	return c, pass, events
}

func TestRemovesOnlyWhileTheDiskIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStock()
		c, pass, events := collector(s)
		ctx, stop := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer stop()
		go c.Run(ctx)
		pass(Disk{1000, 200}, time.Hour)
		if s.listed != 0 {
			t.Errorf("images listed %d times though there is room", s.listed)
		}
		c.Used("a")
		pass(Disk{1000, 120}, time.Minute)
		if got := s.left(); got != "running pause volume a" {
			t.Errorf("%s is left, want all but b, which was used longest ago", got)
		}
		pass(Disk{1000, 120}, 5*time.Minute)
		if got := s.left(); got != "running pause volume" {
			t.Errorf("%s is left, want what is in use alone", got)
		}
		if len(*events) != 0 {
			t.Errorf("events %v though removing helped each time", *events)
		}
	})
}

func TestTellsOnceThatRemovingDoesNotHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStock()
		c, pass, events := collector(s)
		ctx, stop := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer stop()
		go c.Run(ctx)
		full, room := Disk{100000, 100}, Disk{100000, 50000}
		pass(full, time.Hour)
		if len(*events) != 1 {
			t.Errorf("an hour of a full disk: events %v, want one", *events)
		}
		if s.listed > 13 {
			t.Errorf("an hour of a full disk: images listed %d times", s.listed)
		}
		pass(room, time.Minute)
		pass(full, time.Hour)
		if len(*events) != 2 {
			t.Errorf("full again: events %v, want two", *events)
		}
	})
}

func TestImagesJustFoundAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStock()
		c, _, _ := collector(s)
		if err := c.RemoveUnused(t.Context()); err != nil || s.left() != "running pause volume a b" {
			t.Errorf("%s is left (%v), want all: they were found just now", s.left(), err)
		}
		time.Sleep(3 * time.Minute)
		s.broken = errors.New("read-only file system")
		if err := c.RemoveUnused(t.Context()); !errors.Is(err, s.broken) {
			t.Errorf("error %v, want %v", err, s.broken)
		}
		s.broken = nil
		if err := c.RemoveUnused(t.Context()); err != nil || s.left() != "running pause volume" {
			t.Errorf("%s is left (%v), want what is in use alone", s.left(), err)
		}
	})
}
