package kubelet

import (
	"context"
	"os"
	"path/filepath"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/kubelet/disk"
	"github.com/coracle-k8s/coracle/kubelet/localvolumes"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
	"github.com/coracle-k8s/coracle/kubelet/server"
)

// storage tells what Pods hold on disk.
type storage struct {
	*parts
	podsDir, podLogsDir string
	ledger              *disk.Ledger
	spaces              disk.Spaces // of volumes that are not of this node's own disk

	mu sync.Mutex
	// layers are the directories of containers' own files, by container. They stay where they are.
	layers map[string]string
}

// of measures Pods. Volumes and layers may be as the ledger last saw them. What cannot be measured is left out: most of the time that
// is because it is about to be made, or to go away.
func (s *storage) of(ctx context.Context, pods []*corev1.Pod) map[types.UID]server.Storage {
	layers := s.findLayers(ctx, pods)
	var dirs []string
	for _, pod := range pods {
		for i := range pod.Spec.Volumes {
			if dir := s.volumes.Dir(pod.UID, &pod.Spec.Volumes[i]); dir != "" {
				dirs = append(dirs, dir)
			} else if dir := s.volumes.Local(pod.UID, pod.Spec.Volumes[i].Name); localvolumes.Has(dir) {
				dirs = append(dirs, dir)
			}
		}
		for _, dir := range layers[pod.UID] {
			dirs = append(dirs, dir)
		}
	}
	known := s.ledger.Ask(ctx, dirs)
	out := map[types.UID]server.Storage{}
	for _, pod := range pods {
		held := server.Storage{
			Layers: map[string]disk.Usage{}, Logs: logUsage(ctx, runtime.PodLogDir(s.podLogsDir, pod)), Volumes: map[string]server.Volume{},
		}
		held.Hosts, _ = disk.Of(ctx, filepath.Join(s.podsDir, string(pod.UID), "etc-hosts"))
		for container, dir := range layers[pod.UID] {
			if used, ok := known[dir]; ok {
				held.Layers[container] = used
			}
		}
		for i := range pod.Spec.Volumes {
			v := &pod.Spec.Volumes[i]
			if found, ok := s.volume(ctx, pod.UID, v, known); ok {
				held.Volumes[v.Name] = found
			}
		}
		out[pod.UID] = held
	}
	return out
}

// findLayers returns the directories of Pods' running containers' own files, by container. All others are forgotten.
func (s *storage) findLayers(ctx context.Context, pods []*corev1.Pod) map[types.UID]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out, layers := map[types.UID]map[string]string{}, map[string]string{}
	for _, pod := range pods {
		_, seen, err := s.pods.Pod(pod.Namespace, pod.Name)
		if err != nil {
			continue
		}
		found := map[string]string{}
		for _, c := range seen.Alive() {
			dir := s.layers[c.ID]
			if dir == "" {
				if dir, err = layerOf(ctx, s.parts, c.ID); err != nil || dir == "" {
					continue
				}
			}
			found[c.ID], layers[c.ID] = dir, dir
		}
		out[pod.UID] = found
	}
	s.layers = layers
	return out
}

// volume is what a volume holds: one that is made here what is known of its directory, as one of class local, another local
// PersistentVolume all that is on its file system. Of others nothing is known, nor of one whose file system does not answer.
func (s *storage) volume(ctx context.Context, pod types.UID, v *corev1.Volume, known map[string]disk.Usage) (server.Volume, bool) {
	if dir := s.volumes.Dir(pod, v); dir != "" {
		used, ok := known[dir]
		space, err := disk.SpaceOf(dir)
		return server.Volume{Usage: used, Space: space}, ok && err == nil
	}
	dir := s.volumes.Local(pod, v.Name)
	if dir == "" {
		return server.Volume{}, false
	}
	space, err := s.spaces.Of(ctx, dir)
	if size, is := localvolumes.Size(dir); is && err == nil {
		used, ok := known[dir]
		return server.Volume{Usage: used, Space: partOf(space, size, used)}, ok
	}
	used := disk.Usage{Bytes: space.Used, Inodes: space.InodesUsed, At: space.At}
	return server.Volume{Usage: used, Space: space}, err == nil
}

// partOf is the space of a volume that is to have a size, of a file system that others share.
func partOf(s disk.Space, size int64, used disk.Usage) disk.Space {
	s.Available = max(0, min(s.Available, size-used.Bytes))
	s.Bytes, s.Used, s.InodesUsed = size, used.Bytes, used.Inodes
	return s
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
