package server

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	statsapi "k8s.io/kubelet/pkg/apis/stats/v1alpha1"

	"github.com/coracle-k8s/coracle/kubelet/disk"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

func TestTheSandboxThatCounts(t *testing.T) {
	sandbox := func(id, pod string, ready bool, created int64) *runtimeapi.PodSandbox {
		s := &runtimeapi.PodSandbox{Id: id, CreatedAt: created, Metadata: &runtimeapi.PodSandboxMetadata{Namespace: "ns", Name: pod}}
		if !ready {
			s.State = runtimeapi.PodSandboxState_SANDBOX_NOTREADY
		}
		return s
	}
	for name, tt := range map[string]struct {
		list []*runtimeapi.PodSandbox
		want string
	}{
		"the only one":     {[]*runtimeapi.PodSandbox{sandbox("a", "p", false, 1)}, "a"},
		"the newest":       {[]*runtimeapi.PodSandbox{sandbox("a", "p", false, 1), sandbox("b", "p", false, 3), sandbox("c", "p", false, 2)}, "b"},
		"that is ready":    {[]*runtimeapi.PodSandbox{sandbox("a", "p", true, 1), sandbox("b", "p", false, 3)}, "a"},
		"one for each pod": {[]*runtimeapi.PodSandbox{sandbox("a", "p", true, 1), sandbox("b", "q", true, 2)}, "a,b"},
		"none":             {nil, ""},
	} {
		if got := strings.Join(slices.Sorted(maps.Keys(latest(tt.list))), ","); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func container(id, name string, bytes uint64) *runtimeapi.ContainerStats {
	return &runtimeapi.ContainerStats{
		Attributes: &runtimeapi.ContainerAttributes{Id: id, Labels: map[string]string{runtime.LabelContainerName: name}},
		WritableLayer: &runtimeapi.FilesystemUsage{
			Timestamp: 5, FsId: &runtimeapi.FilesystemIdentifier{Mountpoint: "/images"},
			UsedBytes: &runtimeapi.UInt64Value{Value: bytes}, InodesUsed: &runtimeapi.UInt64Value{Value: 1},
		},
	}
}

func volume(name string, source corev1.VolumeSource) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: source}
}

var (
	onDisk   = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	inMemory = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}}
	claimed  = corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "claim"}}
	template = corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}
	config   = corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{}}
	hostPath = corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{}}
)

// TestDiskFigures has bytes in powers of ten, so that a sum tells what is in it.
func TestDiskFigures(t *testing.T) {
	used := func(bytes int64) disk.Usage { return disk.Usage{Bytes: bytes, Inodes: 1, At: time.Unix(0, 7)} }
	for name, tt := range map[string]struct {
		volumes []corev1.Volume
		held    Storage
		running []*runtimeapi.ContainerStats
		want    []string // name of the container or volume, or "all", and the bytes of layer, log or volume
		inodes  uint64   // of all
	}{
		"nothing": {nil, Storage{}, nil, []string{"all 0"}, 0},
		"layers and logs": {
			nil, Storage{Logs: map[string]disk.Usage{"a": used(10), "gone": used(1000)}}, []*runtimeapi.ContainerStats{container("1", "a", 1), container("2", "b", 100)},
			[]string{"a layer 1", "a log 10", "b layer 100", "all 111"}, 3,
		},
		"layers as measured, where they were": {
			nil, Storage{Layers: map[string]disk.Usage{"1": used(10), "other": used(1000)}}, []*runtimeapi.ContainerStats{container("1", "a", 1), container("2", "b", 100)},
			[]string{"a layer 10", "b layer 100", "all 110"}, 2,
		},
		"volumes of this node's disk count, in the pod's order": {
			[]corev1.Volume{volume("z", onDisk), volume("m", inMemory), volume("c", config), volume("h", hostPath)},
			Storage{Volumes: map[string]Volume{"z": {Usage: used(1)}, "m": {Usage: used(10)}, "c": {Usage: used(100)}}}, nil,
			[]string{"z 1", "m 10", "c 100", "all 101"}, 2,
		},
		"claims are named and do not count": {
			[]corev1.Volume{volume("v", claimed), volume("e", template)},
			Storage{Volumes: map[string]Volume{"v": {Usage: used(1)}, "e": {Usage: used(10)}}, Hosts: used(100)}, nil,
			[]string{"v of ns/claim 1", "e of ns/p-e 10", "all 100"}, 1,
		},
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", UID: "u"}, Spec: corev1.PodSpec{Volumes: tt.volumes}}
		d := &disks{
			root: disk.Space{At: time.Unix(0, 9), Bytes: 1 << 40}, pods: map[types.UID]*corev1.Pod{"u": pod}, storage: map[types.UID]Storage{"u": tt.held},
		}
		out := statsapi.PodStats{PodRef: statsapi.PodReference{UID: "u"}}
		for _, c := range tt.running {
			out.Containers = append(out.Containers, statsapi.ContainerStats{Name: containerName(c)})
		}
		d.addTo(&out, tt.running)
		if got := figures(&out); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
		if got := *out.EphemeralStorage.InodesUsed; got != tt.inodes {
			t.Errorf("%s: %d inodes, want %d", name, got, tt.inodes)
		}
	}
}

// figures writes what a Pod holds in lines.
func figures(p *statsapi.PodStats) (lines []string) {
	add := func(name string, f *statsapi.FsStats) {
		if f != nil {
			n, _ := json.Marshal(f.UsedBytes)
			lines = append(lines, name+" "+string(n))
		}
	}
	for _, c := range p.Containers {
		add(c.Name+" layer", c.Rootfs)
		add(c.Name+" log", c.Logs)
	}
	for _, v := range p.VolumeStats {
		name := v.Name
		if v.PVCRef != nil {
			name += " of " + v.PVCRef.Namespace + "/" + v.PVCRef.Name
		}
		add(name, &v.FsStats)
	}
	add("all", p.EphemeralStorage)
	return lines
}

func TestFileSystemsOfFigures(t *testing.T) {
	space := func(n int64) disk.Space {
		return disk.Space{Bytes: n, Available: n + 1, Used: n + 2, Inodes: n + 3, InodesFree: n + 4, InodesUsed: n + 5, At: time.Unix(n, 0)}
	}
	d := &disks{
		root: space(10), spaces: map[string]disk.Space{"/images": space(20)},
		images:  container("", "", 7).WritableLayer,
		storage: map[types.UID]Storage{"u": {Logs: map[string]disk.Usage{"a": {}}}},
	}
	out := statsapi.PodStats{PodRef: statsapi.PodReference{UID: "u"}, Containers: []statsapi.ContainerStats{{Name: "a"}}}
	d.addTo(&out, []*runtimeapi.ContainerStats{container("1", "a", 1)})
	for name, tt := range map[string]struct {
		got      *statsapi.FsStats
		capacity uint64
		used     uint64
	}{
		"layer": {out.Containers[0].Rootfs, 20, 1}, "log": {out.Containers[0].Logs, 10, 0}, "all": {out.EphemeralStorage, 10, 1},
		"node": {d.node(), 10, 12}, "images": {d.runtime().ImageFs, 20, 7}, "layers": {d.runtime().ContainerFs, 20, 7},
	} {
		f := tt.got
		if *f.CapacityBytes != tt.capacity || *f.AvailableBytes != tt.capacity+1 || *f.Inodes != tt.capacity+3 || *f.InodesFree != tt.capacity+4 || *f.UsedBytes != tt.used {
			data, _ := json.Marshal(f)
			t.Errorf("%s: got %s, want that of %d with %d in use", name, data, tt.capacity, tt.used)
		}
	}
	if f := onFileSystem(disk.Usage{Bytes: 1}, disk.Space{}); f.CapacityBytes != nil || f.Inodes != nil || *f.UsedBytes != 1 {
		t.Errorf("of a file system that is not known: %+v", f)
	}
}

func TestFiguresAreOfWhatRuns(t *testing.T) {
	l := &look{
		sandboxes: map[string]*runtimeapi.PodSandbox{"s": {CreatedAt: 3}},
		containers: map[string]*runtimeapi.Container{
			"new": {CreatedAt: 8}, "other": {CreatedAt: 9},
		},
	}
	p := l.podStats(&runtimeapi.PodSandboxStats{
		Attributes: &runtimeapi.PodSandboxAttributes{Id: "s", Metadata: &runtimeapi.PodSandboxMetadata{Namespace: "ns", Name: "p", Uid: "u"}},
		Linux:      &runtimeapi.LinuxPodSandboxStats{Containers: []*runtimeapi.ContainerStats{container("other", "b", 0), container("old", "a", 0), container("new", "a", 0)}},
	})
	if p.Swap != nil {
		t.Errorf("got swap %+v of containers of which none is known", p.Swap)
	}
	if p.PodRef != (statsapi.PodReference{Namespace: "ns", Name: "p", UID: "u"}) || p.StartTime.UnixNano() != 3 {
		t.Errorf("got %+v since %s", p.PodRef, p.StartTime)
	}
	if len(p.Containers) != 2 || p.Containers[0].Name != "a" || p.Containers[0].StartTime.UnixNano() != 8 || p.Containers[1].Name != "b" {
		t.Errorf("got %+v", p.Containers)
	}
}

func TestSwapOfPodsIsThatOfTheirContainers(t *testing.T) {
	known := func(used, available uint64) *statsapi.SwapStats {
		return &statsapi.SwapStats{SwapUsageBytes: &used, SwapAvailableBytes: &available}
	}
	got := swapOf([]statsapi.ContainerStats{{Swap: known(1, 10)}, {}, {Swap: &statsapi.SwapStats{}}, {Swap: known(2, 20)}})
	if got == nil || *got.SwapUsageBytes != 3 || *got.SwapAvailableBytes != 30 {
		t.Errorf("got %+v", got)
	}
}

func TestInterfacesOfTheMachine(t *testing.T) {
	const devices = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:    1000      10    3    0    0     0          0         0     2000      20    4    0    0     0       0          0
 wlan1:5000 1 0 0 0 0 0 0 6000 1 0 0 0 0 0 0
vethab: 7 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0
`
	got := networkStats(devices, metav1.Now())
	if len(got.Interfaces) != 2 || got.Name != "eth0" || *got.RxBytes != 1000 || *got.RxErrors != 3 || *got.TxBytes != 2000 || *got.TxErrors != 4 {
		t.Errorf("got %+v", got)
	} else if one := got.Interfaces[1]; one.Name != "wlan1" || *one.RxBytes != 5000 || *one.TxBytes != 6000 {
		t.Errorf("got %+v", one)
	}
}
