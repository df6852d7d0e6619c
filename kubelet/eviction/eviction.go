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

	"github.com/coracle-k8s/coracle/kubelet/status"
)

const (
	// lookEvery is how often the node is looked at.
	lookEvery = 10 * time.Second
	// pressureLasts keeps a condition after the need is over, so that it does not flap.
	pressureLasts = 5 * time.Minute
	// settle is how long an eviction may take to show before another Pod has to go.
	settle = 30 * time.Second
)

// Measures are what is left of the node.
type Measures struct{ Memory, Disk, Inodes Measure }

// Measure is what is left of something, and all that there is, in bytes or pieces. A total of 0 is that of something that cannot
// run out.
type Measure struct{ Available, Total int64 }

// Usage is what a Pod uses, in bytes.
type Usage struct{ Memory, Disk int64 }

// Node is what the evictor sees of the node, and does to it.
type Node struct {
	// Thresholds are when the node is short of something.
	Thresholds []Threshold
	Measure    func() (Measures, error)
	// Pods returns the Pods that run.
	Pods func() []*corev1.Pod
	// Usage returns what Pods use.
	Usage func(ctx context.Context) (map[types.UID]Usage, error)
	// VolumeUsage returns what an emptyDir volume on disk holds.
	VolumeUsage func(pod types.UID, volume string) (int64, error)
	// FreeDisk removes what nobody needs.
	FreeDisk func(ctx context.Context) error
	// Evict ends a Pod.
	Evict func(pod types.UID, verdict status.Verdict)
	// Changed is told when a pressure comes or goes.
	Changed func()
}

// Evictor watches the node.
type Evictor struct {
	Node

	mu           sync.Mutex
	memory, disk time.Time // until when the pressure counts
	evicted      time.Time
}

// New returns an evictor that does nothing yet.
func New(n Node) *Evictor { return &Evictor{Node: n} }

// Pressure returns what the node runs short of.
func (e *Evictor) Pressure() (memory, disk bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	return now.Before(e.memory), now.Before(e.disk)
}

// Run looks until ctx ends.
func (e *Evictor) Run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := e.look(ctx, time.Now()); err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "Looking for what the node runs short of")
		}
	}
}

func (e *Evictor) look(ctx context.Context, now time.Time) error {
	e.checkVolumes(ctx)
	m, err := e.Measure()
	if err != nil {
		return fmt.Errorf("measuring the node: %w", err)
	}
	needs := needsOf(m, e.Thresholds)
	before := e.remember(needs, now)
	if len(needs) == 0 || now.Sub(e.evicted) < settle {
		return nil
	}
	if !before && e.Changed != nil {
		e.Changed()
	}
	if needs[0].of == corev1.ResourceEphemeralStorage {
		if err := e.FreeDisk(ctx); err != nil {
			klog.FromContext(ctx).Info("Images could not be removed", "error", err)
		}
		if m, err = e.Measure(); err != nil || len(needsOf(m, e.Thresholds)) == 0 {
			return err
		}
	}
	usage, err := e.Usage(ctx)
	if err != nil {
		return fmt.Errorf("reading what pods use: %w", err)
	}
	if victim := pick(e.Pods(), usage, needs[0].of); victim != nil {
		e.evicted = now
		e.Evict(victim.UID, verdict(needs[0], victim, usage[victim.UID]))
	}
	return nil
}

// remember notes which pressures there are; it returns whether there was any before.
func (e *Evictor) remember(needs []need, now time.Time) (before bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	before = now.Before(e.memory) || now.Before(e.disk)
	for _, n := range needs {
		if n.of == corev1.ResourceMemory {
			e.memory = now.Add(pressureLasts)
		} else {
			e.disk = now.Add(pressureLasts)
		}
	}
	return before
}

// need is something that the node runs short of.
type need struct {
	of        corev1.ResourceName
	available string
	threshold string
}

func bytes(n int64) string { return resource.NewQuantity(n, resource.BinarySI).String() }

// checkVolumes ends Pods whose emptyDir volumes have outgrown their limits.
func (e *Evictor) checkVolumes(ctx context.Context) {
	for _, pod := range e.Pods() {
		for i := range pod.Spec.Volumes {
			v := &pod.Spec.Volumes[i]
			if v.EmptyDir == nil || v.EmptyDir.SizeLimit == nil || v.EmptyDir.SizeLimit.IsZero() || v.EmptyDir.Medium != corev1.StorageMediumDefault {
				continue
			}
			used, err := e.VolumeUsage(pod.UID, v.Name)
			if err != nil {
				klog.FromContext(ctx).V(2).Info("Measuring a volume", "pod", klog.KObj(pod), "volume", v.Name, "error", err)
				continue
			}
			if used > v.EmptyDir.SizeLimit.Value() {
				e.Evict(pod.UID, evicted(fmt.Sprintf("Usage of EmptyDir volume %q exceeds the limit %q. ", v.Name, v.EmptyDir.SizeLimit.String())))
				break
			}
		}
	}
}
