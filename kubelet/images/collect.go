package images

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/distribution/reference"
	corev1 "k8s.io/api/core/v1"
	internalapi "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/klog/v2"
)

// collectEvery is the least time between two removals while the disk stays full.
const collectEvery = 5 * time.Minute

// CollectorConfig is what a Collector works with.
type CollectorConfig struct {
	Images     internalapi.ImageManagerService
	Runtime    internalapi.RuntimeService
	Thresholds Thresholds
	// Mounted returns the names of images that Pods have as volumes; may be nil.
	Mounted func() []string
	// Removed is told of each image that was removed; may be nil.
	Removed func()
	// Event tells the node's owner what happens; may be nil.
	Event func(eventType, reason, message string)
}

// Collector removes images that nobody uses when their disk fills. It measures nothing by itself: who looks at the disk
// anyhow tells it.
type Collector struct {
	CollectorConfig
	wake chan struct{}
	// removing is held by who removes images.
	removing sync.Mutex

	mu sync.Mutex
	// used is when an image was last used, or first seen, by its ID.
	used map[string]time.Time
	disk Disk
	// next is when to remove again while the disk stays full, told whether its owner knows that removing did not help.
	next time.Time
	told bool
}

// NewCollector returns a collector of the runtime's images.
func NewCollector(c CollectorConfig) *Collector {
	c.Thresholds = c.Thresholds.withDefaults()
	return &Collector{CollectorConfig: c, wake: make(chan struct{}, 1), used: map[string]time.Time{}}
}

// Used says that an image is about to be used, or was until now.
func (c *Collector) Used(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used[id] = time.Now()
}

// Seen tells which images there are: their age counts from the first time. It forgets those that are gone.
func (c *Collector) Seen(images []*runtimeapi.Image) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := make(map[string]time.Time, len(images))
	for _, i := range images {
		at, found := c.used[i.Id]
		if !found {
			at = time.Now()
		}
		known[i.Id] = at
	}
	c.used = known
}

// Look tells how full the disk is. It returns at once; Run does what is to be done.
func (c *Collector) Look(d Disk) {
	if c.due(d, time.Now()) {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// due remembers how full the disk is, and says whether images must go now.
func (c *Collector) due(d Disk, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.disk = d
	if c.Thresholds.excess(d) == 0 {
		c.next, c.told = time.Time{}, false
		return false
	}
	if now.Before(c.next) {
		return false
	}
	c.next = now.Add(collectEvery)
	return true
}

// Run removes images when Look finds that it is time, until ctx ends.
func (c *Collector) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		}
		if err := c.collect(ctx, time.Now()); err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "Removing unused images")
		}
	}
}

// collect frees what is above the thresholds. What the owner should know is told once for as long as the disk stays full.
func (c *Collector) collect(ctx context.Context, now time.Time) error {
	c.mu.Lock()
	disk := c.disk
	c.mu.Unlock()
	excess := c.Thresholds.excess(disk)
	if excess == 0 {
		return nil
	}
	freed, young, err := c.remove(ctx, now, excess)
	if freed > 0 {
		klog.FromContext(ctx).Info("Removed unused images, as their disk is full", "usedPercent", disk.usedPercent(), "freed", freed)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if young {
		c.next = now.Add(c.Thresholds.MinAge)
	}
	if freed >= excess || c.told || young && err == nil {
		return nil
	}
	c.told = true
	if err == nil {
		err = errors.New(insufficient(disk, freed))
		if c.Event != nil {
			c.Event(corev1.EventTypeWarning, "FreeDiskSpaceFailed", err.Error())
		}
	}
	return err
}

// RemoveUnused removes all images that nobody uses, but for the youngest.
func (c *Collector) RemoveUnused(ctx context.Context) error {
	_, _, err := c.remove(ctx, time.Now(), math.MaxInt64)
	return err
}

// remove frees so many bytes by removing images, those unused for the longest time first. young is whether there would have
// been more that is only too young.
func (c *Collector) remove(ctx context.Context, now time.Time, bytes int64) (freed int64, young bool, err error) {
	c.removing.Lock()
	defer c.removing.Unlock()
	images, err := c.unused(ctx, now)
	if err != nil {
		return 0, false, err
	}
	before := now.Add(-c.Thresholds.MinAge)
	c.mu.Lock()
	chosen, young := pick(images, c.used, before, bytes)
	c.mu.Unlock()
	var failed []error
	for _, i := range chosen {
		if !c.stillOld(i.Id, before) {
			continue
		}
		if err := c.Images.RemoveImage(ctx, &runtimeapi.ImageSpec{Image: i.Id}); err != nil {
			failed = append(failed, fmt.Errorf("removing image %s: %w", i.Id, err))
			continue
		}
		c.mu.Lock()
		delete(c.used, i.Id)
		c.mu.Unlock()
		freed += int64(i.Size)
		if c.Removed != nil {
			c.Removed()
		}
	}
	return freed, young, errors.Join(failed...)
}

// stillOld says whether nobody took an image since it was chosen.
func (c *Collector) stillOld(id string, before time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.used[id].After(before)
}

// unused lists the images that no container is of, no Pod mounts and the runtime does not need itself.
func (c *Collector) unused(ctx context.Context, now time.Time) ([]*runtimeapi.Image, error) {
	images, err := c.Images.ListImages(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("listing images: %w", err)
	}
	containers, err := c.Runtime.ListContainers(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("listing containers: %w", err)
	}
	held := c.mounted()
	for _, k := range containers {
		held[k.ImageRef], held[k.ImageId], held[k.GetImage().GetImage()] = true, true, true
	}
	c.Seen(images)
	c.mu.Lock()
	defer c.mu.Unlock()
	var unused []*runtimeapi.Image
	for _, i := range images {
		names := slices.Concat(i.RepoTags, i.RepoDigests)
		switch {
		case held[i.Id], slices.ContainsFunc(names, func(n string) bool { return held[n] }):
			c.used[i.Id] = now
		case !i.Pinned:
			unused = append(unused, i)
		}
	}
	return unused, nil
}

// mounted are the images that Pods have as volumes, by the names that the runtime gives them.
func (c *Collector) mounted() map[string]bool {
	names := map[string]bool{}
	if c.Mounted == nil {
		return names
	}
	for _, name := range c.Mounted() {
		names[name] = true
		if named, err := reference.ParseDockerRef(name); err == nil {
			names[named.String()] = true
		}
	}
	return names
}
