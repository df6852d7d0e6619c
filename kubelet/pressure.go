package kubelet

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/kubelet/eviction"
	"github.com/coracle-k8s/coracle/kubelet/images"
)

// newEvictor lets the evictor see and do what it needs.
func (k *Kubelet) newEvictor(p *parts) *eviction.Evictor {
	collector := images.NewCollector(p.images, p.runtime, images.Thresholds{HighPercent: 1, LowPercent: 1})
	return eviction.New(eviction.Node{
		Measure: k.measure,
		Pods:    p.pods.Active,
		Usage:   func(ctx context.Context) (map[types.UID]eviction.Usage, error) { return usage(ctx, p) },
		VolumeUsage: func(pod types.UID, volume string) (int64, error) {
			return diskUsage(filepath.Join(k.podsDir(), string(pod), "volumes", "kubernetes.io~empty-dir", volume))
		},
		FreeDisk: func(ctx context.Context) error {
			_, err := collector.Check(ctx)
			return err
		},
		Evict:   p.pods.Evict,
		Changed: p.node.Poke,
	})
}

func (k *Kubelet) measure() (eviction.Measures, error) {
	var m eviction.Measures
	var disk unix.Statfs_t
	if err := unix.Statfs(k.RootDir, &disk); err != nil {
		return m, err
	}
	m.DiskAvailable = int64(disk.Bavail) * disk.Bsize
	m.DiskPercent, m.InodesPercent = percent(disk.Bavail, disk.Blocks), percent(disk.Ffree, disk.Files)
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return m, err
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "MemAvailable:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				return m, err
			}
			m.MemoryAvailable = kib << 10
		}
	}
	return m, nil
}

// percent is 100 of nothing: a file system without a fixed number of inodes does not run out of them.
func percent(part, whole uint64) int64 {
	if whole == 0 {
		return 100
	}
	return int64(part * 100 / whole)
}

func usage(ctx context.Context, p *parts) (map[types.UID]eviction.Usage, error) {
	list, err := p.runtime.ListPodSandboxStats(ctx, nil)
	if err != nil {
		return nil, err
	}
	out := map[types.UID]eviction.Usage{}
	for _, s := range list {
		u := eviction.Usage{Memory: int64(s.GetLinux().GetMemory().GetWorkingSetBytes().GetValue())}
		for _, c := range s.GetLinux().GetContainers() {
			u.Disk += int64(c.GetWritableLayer().GetUsedBytes().GetValue())
		}
		out[types.UID(s.GetAttributes().GetMetadata().GetUid())] = u
	}
	return out, nil
}

// diskUsage is the disk space that all below dir takes.
func diskUsage(dir string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return nil // it went away meanwhile
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			sum += st.Blocks * 512
		}
		return nil
	})
	return sum, err
}
