package images

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	internalapi "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Thresholds say when images are removed. The zero value is 85 % and 80 %, as upstream's.
type Thresholds struct {
	// HighPercent of the images' file system in use starts a removal; 100 is never.
	HighPercent int
	// LowPercent is what it removes down to.
	LowPercent int
	// MinFree, if set, starts a removal too: fewer free bytes than this.
	MinFree uint64
	// MinAge keeps images that were found or used less than this time ago; 2 minutes unless set.
	MinAge time.Duration
}

func (t Thresholds) withDefaults() Thresholds {
	if t.HighPercent == 0 {
		t.HighPercent = 85
	}
	if t.LowPercent == 0 {
		t.LowPercent = min(80, t.HighPercent)
	}
	if t.MinAge == 0 {
		t.MinAge = 2 * time.Minute
	}
	return t
}

// Collector removes images that nobody uses when their disk fills. It does nothing by itself: Check is for those who
// just put something on the disk, or saw that it is nearly full.
type Collector struct {
	images     internalapi.ImageManagerService
	runtime    internalapi.RuntimeService
	thresholds Thresholds

	mu sync.Mutex
	// used is when an image was last used, or first seen, by its ID.
	used map[string]time.Time
}

// NewCollector returns a collector of the runtime's images.
func NewCollector(images internalapi.ImageManagerService, runtime internalapi.RuntimeService, t Thresholds) *Collector {
	return &Collector{images: images, runtime: runtime, thresholds: t.withDefaults(), used: map[string]time.Time{}}
}

// Used says that an image is about to be used.
func (c *Collector) Used(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used[id] = time.Now()
}

// Check removes images, those unused for the longest time first, if their file system is as full as the thresholds say.
// It returns how many bytes it freed, and an error when that was too little.
func (c *Collector) Check(ctx context.Context) (freed uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	disk, err := c.disk(ctx)
	if err != nil {
		return 0, err
	}
	excess := c.thresholds.excess(disk)
	if excess == 0 {
		return 0, nil
	}
	images, err := c.unused(ctx)
	if err != nil {
		return 0, err
	}
	var failed []error
	for _, i := range pick(images, c.used, time.Now().Add(-c.thresholds.MinAge), excess) {
		if err := c.images.RemoveImage(ctx, &runtimeapi.ImageSpec{Image: i.Id}); err != nil {
			failed = append(failed, fmt.Errorf("removing image %s: %w", i.Id, err))
			continue
		}
		delete(c.used, i.Id)
		freed += i.Size
	}
	if freed < excess {
		failed = append(failed, fmt.Errorf("images take too much of the disk: %d bytes too many, %d freed", excess, freed))
	}
	return freed, errors.Join(failed...)
}

// usage is how full a file system is, in bytes.
type usage struct{ total, free uint64 }

// excess is how many bytes must go, 0 below the thresholds.
func (t Thresholds) excess(u usage) uint64 {
	if u.total == 0 {
		return 0
	}
	inUse := u.total - min(u.free, u.total)
	tooFull := t.HighPercent < 100 && inUse*100 >= uint64(t.HighPercent)*u.total
	if !tooFull && u.free >= t.MinFree {
		return 0
	}
	target := max(u.total/100*uint64(100-t.LowPercent), t.MinFree)
	return target - min(u.free, target)
}

func (c *Collector) disk(ctx context.Context) (usage, error) {
	info, err := c.images.ImageFsInfo(ctx)
	if err != nil {
		return usage{}, fmt.Errorf("asking for the images' file system: %w", err)
	}
	if len(info.ImageFilesystems) == 0 || info.ImageFilesystems[0].FsId == nil {
		return usage{}, errors.New("asking for the images' file system: the runtime names none")
	}
	var s unix.Statfs_t
	if err := unix.Statfs(info.ImageFilesystems[0].FsId.Mountpoint, &s); err != nil {
		return usage{}, fmt.Errorf("measuring the images' file system: %w", err)
	}
	return usage{total: s.Blocks * uint64(s.Bsize), free: s.Bavail * uint64(s.Bsize)}, nil
}

// unused lists the images that no container is of and that the runtime does not need itself. The caller holds the lock.
func (c *Collector) unused(ctx context.Context) ([]*runtimeapi.Image, error) {
	images, err := c.images.ListImages(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("listing images: %w", err)
	}
	containers, err := c.runtime.ListContainers(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("listing containers: %w", err)
	}
	held := map[string]bool{}
	for _, k := range containers {
		held[k.ImageRef], held[k.ImageId], held[k.GetImage().GetImage()] = true, true, true
	}
	now := time.Now()
	var unused []*runtimeapi.Image
	for _, i := range images {
		if held[i.Id] || slices.ContainsFunc(append(i.RepoTags, i.RepoDigests...), func(n string) bool { return held[n] }) {
			c.used[i.Id] = now
			continue
		}
		if _, known := c.used[i.Id]; !known {
			c.used[i.Id] = now
		}
		if !i.Pinned {
			unused = append(unused, i)
		}
	}
	return unused, nil
}

// pick chooses images to remove: unused since before, the longest first, until enough bytes are together.
func pick(images []*runtimeapi.Image, used map[string]time.Time, before time.Time, enough uint64) []*runtimeapi.Image {
	old := slices.DeleteFunc(slices.Clone(images), func(i *runtimeapi.Image) bool { return used[i.Id].After(before) })
	slices.SortFunc(old, func(a, b *runtimeapi.Image) int { return used[a.Id].Compare(used[b.Id]) })
	var sum uint64
	for n, i := range old {
		if sum >= enough {
			return old[:n]
		}
		sum += i.Size
	}
	return old
}
