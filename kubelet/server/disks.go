package server

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	statsapi "k8s.io/kubelet/pkg/apis/stats/v1alpha1"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/kubelet/disk"
)

// Storage is what a Pod holds on disk: containers' own layers by ID, their logs and volumes by name, and its hosts file. What is not
// known is not in it.
type Storage struct {
	Layers, Logs map[string]disk.Usage
	Volumes      map[string]Volume
	Hosts        disk.Usage
}

// Volume is what a volume holds, and the file system that it is on.
type Volume struct {
	disk.Usage
	Space disk.Space
}

// disks is what one answer says of disks.
type disks struct {
	root    disk.Space
	spaces  map[string]disk.Space // by a directory on them
	images  *runtimeapi.FilesystemUsage
	pods    map[types.UID]*corev1.Pod
	storage map[types.UID]Storage
}

// measureDisks measures all that was seen.
func (s *Server) measureDisks(ctx context.Context, seen *look) (*disks, error) {
	d := &disks{spaces: map[string]disk.Space{}, pods: map[types.UID]*corev1.Pod{}}
	var err error
	if d.root, err = disk.SpaceOf(s.RootDir); err != nil {
		return nil, fmt.Errorf("measuring the node's file system: %w", err)
	}
	info, err := s.Images.ImageFsInfo(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking for the images' file system: %w", err)
	}
	if list := info.GetImageFilesystems(); len(list) > 0 {
		d.images = list[0]
		d.know(d.images)
	}
	runs := map[types.UID]bool{}
	for _, stats := range seen.stats {
		runs[types.UID(stats.GetAttributes().GetMetadata().GetUid())] = true
		for _, c := range seen.running(stats) {
			d.know(c.WritableLayer)
		}
	}
	var pods []*corev1.Pod
	for _, pod := range s.Pods.Pods() {
		if runs[pod.UID] {
			pods = append(pods, pod)
			d.pods[pod.UID] = pod
		}
	}
	d.storage = s.Storage(ctx, pods)
	return d, nil
}

// know measures the file system that the runtime has something on, once. What that is may be the runtime's secret.
func (d *disks) know(f *runtimeapi.FilesystemUsage) {
	dir := f.GetFsId().GetMountpoint()
	if _, known := d.spaces[dir]; known || dir == "" {
		return
	}
	d.spaces[dir], _ = disk.SpaceOf(dir)
}

// addTo adds a Pod's figures, of containers in the order of podStats.
func (d *disks) addTo(out *statsapi.PodStats, running []*runtimeapi.ContainerStats) {
	uid := types.UID(out.PodRef.UID)
	held := d.storage[uid]
	total := held.Hosts
	for i, c := range running {
		into := &out.Containers[i]
		if layer := c.WritableLayer; layer != nil {
			used, ok := held.Layers[c.GetAttributes().GetId()]
			if !ok {
				used = LastSeen(layer)
			}
			into.Rootfs = onFileSystem(used, d.spaces[layer.GetFsId().GetMountpoint()])
			total = total.Plus(used)
		}
		if logs, ok := held.Logs[into.Name]; ok {
			into.Logs = onFileSystem(logs, d.root)
			total = total.Plus(logs)
		}
	}
	if pod := d.pods[uid]; pod != nil {
		for i := range pod.Spec.Volumes {
			v := &pod.Spec.Volumes[i]
			used, ok := held.Volumes[v.Name]
			if !ok {
				continue
			}
			out.VolumeStats = append(out.VolumeStats, statsapi.VolumeStats{
				Name: v.Name, PVCRef: ClaimOf(pod, v), FsStats: *onFileSystem(used.Usage, used.Space),
			})
			if core.LocalEphemeral(v) {
				total = total.Plus(used.Usage)
			}
		}
	}
	total.At = d.root.At
	out.EphemeralStorage = onFileSystem(total, d.root)
}

// LastSeen is what the runtime found in a layer, or in all images, the last time that it looked, which may be long ago.
func LastSeen(f *runtimeapi.FilesystemUsage) disk.Usage {
	return disk.Usage{Bytes: int64(f.GetUsedBytes().GetValue()), Inodes: int64(f.GetInodesUsed().GetValue()), At: time.Unix(0, f.GetTimestamp())}
}

// ClaimOf is the claim behind a volume, nil for none.
func ClaimOf(pod *corev1.Pod, v *corev1.Volume) *statsapi.PVCReference {
	switch {
	case v.PersistentVolumeClaim != nil:
		return &statsapi.PVCReference{Namespace: pod.Namespace, Name: v.PersistentVolumeClaim.ClaimName}
	case v.Ephemeral != nil:
		return &statsapi.PVCReference{Namespace: pod.Namespace, Name: pod.Name + "-" + v.Name}
	}
	return nil
}

// node is of the file system that the kubelet's files are on.
func (d *disks) node() *statsapi.FsStats {
	return onFileSystem(disk.Usage{Bytes: d.root.Used, Inodes: d.root.InodesUsed, At: d.root.At}, d.root)
}

// runtime is of the runtime's file system: images and containers' own layers are on the same one.
func (d *disks) runtime() *statsapi.RuntimeStats {
	if d.images == nil {
		return nil
	}
	space := d.spaces[d.images.GetFsId().GetMountpoint()]
	out := onFileSystem(LastSeen(d.images), space)
	return &statsapi.RuntimeStats{ImageFs: out, ContainerFs: out}
}

// onFileSystem is something that is on a file system. Of one that could not be measured nothing is said.
func onFileSystem(used disk.Usage, space disk.Space) *statsapi.FsStats {
	out := &statsapi.FsStats{Time: metav1.NewTime(used.At), UsedBytes: unsigned(used.Bytes), InodesUsed: unsigned(used.Inodes)}
	if !space.At.IsZero() {
		out.CapacityBytes, out.AvailableBytes = unsigned(space.Bytes), unsigned(space.Available)
		out.Inodes, out.InodesFree = unsigned(space.Inodes), unsigned(space.InodesFree)
	}
	return out
}

func unsigned(n int64) *uint64 {
	u := uint64(max(n, 0))
	return &u
}
