package kubelet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/kubelet/disk"
	"github.com/coracle-k8s/coracle/kubelet/eviction"
	"github.com/coracle-k8s/coracle/kubelet/images"
)

// newEvictor lets the evictor see and do what it needs.
func (k *Kubelet) newEvictor(ctx context.Context, p *parts) *eviction.Evictor {
	return eviction.New(eviction.Node{
		Thresholds: k.thresholds, Transition: k.EvictionTransition, Measure: func() (eviction.Measures, error) { return k.measure(ctx, p) },
		Evicted: p.metrics.Evicted,
		Pods:    p.pods.Active,
		Usage:   func(ctx context.Context) (map[types.UID]eviction.Usage, error) { return usage(ctx, p) },
		VolumeUsage: func(ctx context.Context, pod types.UID, v *corev1.Volume) (disk.Usage, error) {
			return disk.Of(ctx, p.volumes.Dir(pod, v))
		},
		ContainerUsage: func(ctx context.Context, pod *corev1.Pod) (map[string]eviction.Written, error) {
			return k.containerUsage(ctx, p, pod)
		},
		Images:   func(m eviction.Measure) { p.collector.Look(images.Disk{Total: m.Total, Available: m.Available}) },
		FreeDisk: p.collector.RemoveUnused,
		Evict:    p.pods.Evict,
		Short: func(of corev1.ResourceName) {
			p.recorder.Eventf(k.nodeRef(), corev1.EventTypeWarning, "EvictionThresholdMet", "Attempting to reclaim %s", of)
			p.node.Poke()
		},
	})
}

// newCollector removes images that nobody uses.
func (k *Kubelet) newCollector(p *parts) *images.Collector {
	return images.NewCollector(images.CollectorConfig{
		Images: p.images, Runtime: p.runtime, Removed: p.metrics.ImageRemoved,
		Mounted: func() []string { return mountedImages(p.pods.Active()) },
		Event: func(eventType, reason, message string) {
			p.recorder.Event(k.nodeRef(), eventType, reason, message)
		},
	})
}

// nodeRef is what Events about the node refer to.
func (k *Kubelet) nodeRef() *corev1.ObjectReference {
	return &corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: k.NodeName}
}

func mountedImages(pods []*corev1.Pod) (names []string) {
	for _, pod := range pods {
		for i := range pod.Spec.Volumes {
			if image := pod.Spec.Volumes[i].Image; image != nil {
				names = append(names, image.Reference)
			}
		}
	}
	return names
}

// imagesOn is where the images' file system is mounted, "" while the runtime does not say. It is asked until it does.
func imagesOn(ctx context.Context, p *parts) string {
	if p.imagesDir == "" {
		info, err := p.images.ImageFsInfo(ctx)
		if err != nil || len(info.ImageFilesystems) == 0 {
			klog.FromContext(ctx).V(2).Info("The runtime names no file system of images", "error", err)
			return ""
		}
		p.imagesDir = info.ImageFilesystems[0].GetFsId().GetMountpoint()
	}
	return p.imagesDir
}

func (k *Kubelet) measure(ctx context.Context, p *parts) (m eviction.Measures, err error) {
	if dir := imagesOn(ctx, p); dir != "" {
		if m.Images, m.ImageInodes, err = measureDisk(dir); err != nil {
			return m, fmt.Errorf("measuring the images' file system: %w", err)
		}
		if m.Apart, err = apart(dir, k.RootDir); err != nil {
			return m, fmt.Errorf("comparing the file systems of %s and %s: %w", dir, k.RootDir, err)
		}
	}
	if m.Disk, m.Inodes, err = measureDisk(k.RootDir); err != nil {
		return m, fmt.Errorf("measuring the file system of %s: %w", k.RootDir, err)
	}
	if m.PIDs, err = measurePIDs("/proc"); err != nil {
		return m, fmt.Errorf("counting processes: %w", err)
	}
	m.Memory, err = measureMemory("/proc/meminfo")
	return m, err
}

// apart says whether two folders are on different file systems.
func apart(a, b string) (bool, error) {
	var inA, inB unix.Stat_t
	err := errors.Join(unix.Stat(a, &inA), unix.Stat(b, &inB))
	return inA.Dev != inB.Dev, err
}

// measureDisk is of the file system that a folder is on. Where the number of inodes is not fixed they have no total.
func measureDisk(dir string) (space, inodes eviction.Measure, err error) {
	s, err := disk.SpaceOf(dir)
	if err != nil {
		return space, inodes, err
	}
	return eviction.Measure{Available: s.Available, Total: s.Bytes}, eviction.Measure{Available: s.InodesFree, Total: s.Inodes}, nil
}

func measureMemory(file string) (m eviction.Measure, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return m, err
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		into, wanted := map[string]*int64{"MemAvailable:": &m.Available, "MemTotal:": &m.Total}[fields[0]]
		if !wanted {
			continue
		}
		kib, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return m, err
		}
		*into = kib << 10
	}
	return m, nil
}

// measurePIDs is how many threads there may be, and how many of them there are not.
func measurePIDs(proc string) (m eviction.Measure, err error) {
	for _, limit := range []string{"pid_max", "threads-max"} {
		data, err := os.ReadFile(filepath.Join(proc, "sys/kernel", limit))
		if err != nil {
			return m, err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
		if err != nil {
			return m, err
		}
		if m.Total == 0 || n < m.Total {
			m.Total = n
		}
	}
	data, err := os.ReadFile(filepath.Join(proc, "loadavg"))
	if err != nil {
		return m, err
	}
	// Its fourth field is how many of all threads run: 2/345.
	fields := strings.Fields(string(data))
	if len(fields) < 4 {
		return m, fmt.Errorf("%s/loadavg has %d fields", proc, len(fields))
	}
	_, all, _ := strings.Cut(fields[3], "/")
	n, err := strconv.ParseInt(all, 10, 64)
	if err != nil {
		return m, err
	}
	m.Available = max(0, m.Total-n)
	return m, nil
}
