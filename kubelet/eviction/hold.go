package eviction

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/kubelet/disk"
)

// measureFor is how long the Pods are measured of which one must go, all together.
const measureFor = 30 * time.Second

// held is what a Pod holds on disk: in volumes, and beside them by its containers, by name.
type held struct {
	volumes    map[string]disk.Usage
	containers map[string]Written
}

func (h held) total() disk.Usage { return h.besideVolumes().Plus(h.besideImages()) }

// besideVolumes is what is on the file system of volumes and logs.
func (h held) besideVolumes() (all disk.Usage) {
	for _, used := range h.volumes {
		all = all.Plus(used)
	}
	for _, used := range h.containers {
		all = all.Plus(used.Logs)
	}
	return all
}

// besideImages is what is on the file system of images.
func (h held) besideImages() (all disk.Usage) {
	for _, used := range h.containers {
		all = all.Plus(used.Files)
	}
	return all
}

// hold measures the whole of a Pod, or else only its volumes that have limits. With an error it returns what it found until then.
func (e *Evictor) hold(ctx context.Context, pod *corev1.Pod, whole bool) (h held, err error) {
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		if !core.LocalEphemeral(v) || !whole && sizeLimit(v) == 0 {
			continue
		}
		if h.volumes == nil {
			h.volumes = map[string]disk.Usage{}
		}
		if h.volumes[v.Name], err = e.VolumeUsage(ctx, pod.UID, v); err != nil {
			return h, fmt.Errorf("measuring volume %s: %w", v.Name, err)
		}
	}
	if whole {
		if h.containers, err = e.ContainerUsage(ctx, pod); err != nil {
			return h, fmt.Errorf("measuring containers: %w", err)
		}
	}
	return h, nil
}

// holdAll measures Pods as they are now. Time is short: each gets its share of what those before it left, and of those that would take
// longer, which have many files, what was found by then counts. of says which part of what a Pod holds.
func (e *Evictor) holdAll(ctx context.Context, pods []*corev1.Pod, of func(held) disk.Usage) (map[types.UID]Usage, error) {
	out := map[types.UID]Usage{}
	end := time.Now().Add(measureFor)
	for i, pod := range pods {
		share, cancel := context.WithTimeout(ctx, time.Until(end)/time.Duration(len(pods)-i))
		h, err := e.hold(share, pod, true)
		cancel()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			klog.FromContext(ctx).V(2).Info("Measuring what a pod holds on disk", "pod", klog.KObj(pod), "error", err)
		}
		all := of(h)
		out[pod.UID] = Usage{Disk: all.Bytes, Inodes: all.Inodes}
	}
	return out, nil
}
