package kubelet

import (
	"context"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/kubelet/disk"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
	"github.com/coracle-k8s/coracle/kubelet/server"
)

// storage is what Pods hold on disk. Volumes may be as the ledger last saw them. What cannot be measured is left out: most of the time
// that is because it is about to be made, or to go away.
func (k *Kubelet) storage(ctx context.Context, p *parts, ledger *disk.Ledger, pods []*corev1.Pod) map[types.UID]server.Storage {
	var dirs []string
	for _, pod := range pods {
		for i := range pod.Spec.Volumes {
			if dir := p.volumes.Dir(pod.UID, &pod.Spec.Volumes[i]); dir != "" {
				dirs = append(dirs, dir)
			}
		}
	}
	known := ledger.Ask(ctx, dirs)
	out := map[types.UID]server.Storage{}
	for _, pod := range pods {
		held := server.Storage{Logs: logUsage(ctx, runtime.PodLogDir(k.PodLogsDir, pod)), Volumes: map[string]server.Volume{}}
		held.Hosts, _ = disk.Of(ctx, filepath.Join(k.podsDir(), string(pod.UID), "etc-hosts"))
		for i := range pod.Spec.Volumes {
			v := &pod.Spec.Volumes[i]
			if found, ok := volumeUsage(p, pod.UID, v, known); ok {
				held.Volumes[v.Name] = found
			}
		}
		out[pod.UID] = held
	}
	return out
}

// volumeUsage is what a volume holds: one that is made here what is known of its directory, a local PersistentVolume all that is on its
// file system. Of others nothing is known.
func volumeUsage(p *parts, pod types.UID, v *corev1.Volume, known map[string]disk.Usage) (server.Volume, bool) {
	if dir := p.volumes.Dir(pod, v); dir != "" {
		used, ok := known[dir]
		space, err := disk.SpaceOf(dir)
		return server.Volume{Usage: used, Space: space}, ok && err == nil
	}
	dir := p.volumes.Local(pod, v.Name)
	if dir == "" {
		return server.Volume{}, false
	}
	space, err := disk.SpaceOf(dir)
	used := disk.Usage{Bytes: space.Used, Inodes: space.InodesUsed, At: space.At}
	return server.Volume{Usage: used, Space: space}, err == nil
}

// logUsage is what the logs of a Pod's containers hold, by container. There are few files of each, so that they are always measured.
func logUsage(ctx context.Context, dir string) map[string]disk.Usage {
	entries, _ := os.ReadDir(dir)
	out := map[string]disk.Usage{}
	for _, e := range entries {
		if used, err := disk.Of(ctx, filepath.Join(dir, e.Name())); err == nil {
			out[e.Name()] = used
		}
	}
	return out
}
