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
		Thresholds: k.thresholds, Measure: k.measure,
		Pods:  p.pods.Active,
		Usage: func(ctx context.Context) (map[types.UID]eviction.Usage, error) { return usage(ctx, p) },
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
	m.Disk = eviction.Measure{Available: int64(disk.Bavail) * disk.Bsize, Total: int64(disk.Blocks) * disk.Bsize}
	m.Inodes = eviction.Measure{Available: int64(disk.Ffree), Total: int64(disk.Files)} // no total where the number is not fixed
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return m, err
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		into, wanted := map[string]*int64{"MemAvailable:": &m.Memory.Available, "MemTotal:": &m.Memory.Total}[fields[0]]
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
