// Package eviction ends Pods when the node runs out of memory or disk, and Pods that outgrow their own volumes.
// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
package eviction

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/kubelet/disk"
	"github.com/coracle-k8s/coracle/kubelet/status"
)

const (
	// lookEvery is how often the node is looked at.
	lookEvery = 10 * time.Second
	// Transition is how long a condition stays after the need is over, so that it does not flap, unless a Node says otherwise.
	Transition = 5 * time.Minute
	// settle is how long an eviction may take to show before another Pod has to go.
	settle = 30 * time.Second
)

// Measures are what is left of the node. Images and ImageInodes are of the file system that has images and containers' own files;
// Apart says that it is another than Disk and Inodes are of, where volumes and logs are.
type Measures struct {
	Memory, Disk, Inodes, Images, ImageInodes, PIDs Measure
	Apart                                           bool
}

// Measure is what is left of something, and all that there is, in bytes or pieces. A total of 0 is that of something that cannot
// run out.
type Measure struct{ Available, Total int64 }

// Usage is what a Pod uses, in bytes and pieces.
type Usage struct{ Memory, Disk, Inodes, PIDs int64 }

// Written is what a container holds on disk: in its own files, which are beside images, and in its logs.
type Written struct{ Files, Logs disk.Usage }

// Total is both.
func (w Written) Total() disk.Usage { return w.Files.Plus(w.Logs) }

// Node is what the evictor sees of the node, and does to it.
type Node struct {
	// Thresholds are when the node is short of something.
	Thresholds []Threshold
	// Transition is how long a condition stays after the need is over.
	Transition time.Duration
	Measure    func() (Measures, error)
	// Pods returns the Pods that run.
	Pods func() []*corev1.Pod
	// Usage returns what Pods use beside disk.
	Usage func(ctx context.Context) (map[types.UID]Usage, error)
	// VolumeUsage measures what a Pod's volume on disk holds now. ContainerUsage measures what its containers hold beside volumes, by
	// name. With an error, as when ctx ends, they return what they found until then.
	VolumeUsage    func(ctx context.Context, pod types.UID, volume *corev1.Volume) (disk.Usage, error)
	ContainerUsage func(ctx context.Context, pod *corev1.Pod) (map[string]Written, error)
	// Images is told each time what is left of the images' file system, and returns at once; may be nil.
	Images func(Measure)
	// FreeDisk removes what nobody needs.
	FreeDisk func(ctx context.Context) error
	// Evict ends a Pod.
	Evict func(pod types.UID, verdict status.Verdict)
	// Evicted is told of each, with the signal that it went for; may be nil.
	Evicted func(signal string)
	// Short is told of what the node begins to run short of; may be nil.
	Short func(of corev1.ResourceName)
}

// Evictor watches the node.
type Evictor struct {
	Node

	// looked has a value when the node was looked at since the Pods' limits were.
	looked chan struct{}

	evicted time.Time
	// said is what was last said of freeing disk, so that it is not repeated.
	said string

	mu    sync.Mutex
	until map[corev1.NodeConditionType]time.Time // when each pressure counts no more
}

// New returns an evictor that does nothing yet.
func New(n Node) *Evictor {
	if n.Transition == 0 {
		n.Transition = Transition
	}
	return &Evictor{Node: n, looked: make(chan struct{}, 1), until: map[corev1.NodeConditionType]time.Time{}}
}

// Pressure returns whether the node runs short: of memory with NodeMemoryPressure, and so on.
func (e *Evictor) Pressure(kind corev1.NodeConditionType) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return time.Now().Before(e.until[kind])
}

// Run looks until ctx ends.
func (e *Evictor) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var limits guard.Group
	defer limits.Wait()
	defer cancel()
	limits.Keep(ctx, "looking at what Pods outgrow", e.watchLimits)
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := e.look(ctx, time.Now())
		if err == nil {
			said = ""
		} else if ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			klog.FromContext(ctx).Error(err, "Looking for what the node runs short of")
		}
	}
}

func (e *Evictor) look(ctx context.Context, now time.Time) error {
	select {
	case e.looked <- struct{}{}:
	default:
	}
	m, err := e.Measure()
	if err != nil {
		return fmt.Errorf("measuring the node: %w", err)
	}
	if e.Images != nil {
		e.Images(m.Images)
	}
	needs := needsOf(m, e.Thresholds)
	for _, of := range e.remember(needs, now) {
		klog.FromContext(ctx).Info("The node runs short of something", "resource", of)
		if e.Short != nil {
			e.Short(of)
		}
	}
	if len(needs) == 0 || now.Sub(e.evicted) < settle {
		return nil
	}
	if needs[0].pressure == corev1.NodeDiskPressure {
		e.freeDisk(ctx)
		if m, err = e.Measure(); err != nil || len(needsOf(m, e.Thresholds)) == 0 {
			return err
		}
	}
	pods := evictable(e.Pods())
	usage, err := e.usage(ctx, pods, needs[0], m.Apart)
	if err != nil {
		return fmt.Errorf("reading what pods use: %w", err)
	}
	if victim := pick(pods, usage, needs[0].of); victim != nil {
		e.evicted = now
		e.Evict(victim.UID, verdict(needs[0], victim, usage[victim.UID]))
		e.told(needs[0].name)
	}
	return nil
}

// told tells of an eviction.
func (e *Evictor) told(signal string) {
	if e.Evicted != nil {
		e.Evicted(signal)
	}
}

// usage is what Pods use of what the node needs.
func (e *Evictor) usage(ctx context.Context, pods []*corev1.Pod, n need, apart bool) (map[types.UID]Usage, error) {
	switch {
	case n.pressure == corev1.NodeDiskPressure && !apart:
		return e.holdAll(ctx, pods, held.total)
	case n.pressure == corev1.NodeDiskPressure && n.images:
		return e.holdAll(ctx, pods, held.besideImages)
	case n.pressure == corev1.NodeDiskPressure:
		return e.holdAll(ctx, pods, held.besideVolumes)
	}
	return e.Usage(ctx)
}

// freeDisk frees what it can. A failure that lasts is told once.
func (e *Evictor) freeDisk(ctx context.Context) {
	err := e.FreeDisk(ctx)
	if err == nil {
		e.said = ""
	} else if ctx.Err() == nil && err.Error() != e.said {
		e.said = err.Error()
		klog.FromContext(ctx).Error(err, "Freeing disk")
	}
}

// remember notes which pressures there are, and returns those that are new.
func (e *Evictor) remember(needs []need, now time.Time) (begun []corev1.ResourceName) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, n := range needs {
		if !now.Before(e.until[n.pressure]) {
			begun = append(begun, n.of)
		}
		e.until[n.pressure] = now.Add(e.Transition)
	}
	return begun
}

// need is something that the node runs short of.
type need struct {
	signal
	name      string
	available string
	threshold string
}

func bytes(n int64) string { return resource.NewQuantity(n, resource.BinarySI).String() }
