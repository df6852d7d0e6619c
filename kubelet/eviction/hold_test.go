package eviction

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/kubelet/disk"
	"github.com/coracle-k8s/coracle/kubelet/status"
)

// onDisk is a Pod with a volume on disk and one that is not.
func onDisk(name string, priority int32) *corev1.Pod {
	p := podOf(name, priority, "0")
	p.Spec.Volumes = []corev1.Volume{
		{Name: "v", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		{Name: "m", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}}},
	}
	return p
}

func TestWhoHoldsMostOnDiskGoesFirst(t *testing.T) {
	thresholds, err := ParseThresholds("nodefs.available<10%,nodefs.inodesFree<10%,imagefs.available<10%")
	if err != nil {
		t.Fatal(err)
	}
	enough, little := Measure{50, 100}, Measure{5, 100}
	pods := []*corev1.Pod{onDisk("files", 0), onDisk("volume", 0), onDisk("logs", 0), onDisk("going", 0), onDisk("system", systemCritical)}
	pods[3].DeletionTimestamp = &pods[3].CreationTimestamp
	volumes := map[types.UID]disk.Usage{"volume": {Bytes: 600, Inodes: 6}, "logs": {Bytes: 100, Inodes: 1}}
	files := func(bytes, inodes int64) Written { return Written{Files: disk.Usage{Bytes: bytes, Inodes: inodes}} }
	containers := map[types.UID]map[string]Written{
		"files": {"a": files(100, 60)}, "volume": {"a": files(99, 6)},
		"logs": {"a": {Logs: disk.Usage{Bytes: 300, Inodes: 1}}, "b": {Files: disk.Usage{Bytes: 10}, Logs: disk.Usage{Bytes: 300, Inodes: 1}}},
	}
	for _, tt := range []struct {
		name        string
		left        Measures
		unreadable  types.UID // whose containers cannot be measured
		want, using string
	}{
		{"bytes of volumes, containers' own files and logs", Measures{Disk: little, Inodes: enough}, "", "logs", "was using 710,"},
		{"inodes", Measures{Disk: enough, Inodes: little}, "", "files", "low on resource: inodes."},
		{"what can be measured counts", Measures{Disk: little, Inodes: enough}, "logs", "volume", "was using 699,"},
		{"images' disk apart: containers' own files", Measures{Disk: enough, Inodes: enough, Images: little, Apart: true}, "", "files", "was using 100,"},
		{"volumes' disk apart: volumes and logs", Measures{Disk: little, Inodes: enough, Images: enough, Apart: true}, "", "logs", "was using 700,"},
		{"one disk of both", Measures{Disk: enough, Inodes: enough, Images: little}, "", "logs", "was using 710,"},
	} {
		var got, message string
		e := New(Node{
			Thresholds: thresholds,
			Measure:    func() (Measures, error) { return tt.left, nil },
			Pods:       func() []*corev1.Pod { return pods },
			Usage: func(context.Context) (map[types.UID]Usage, error) {
				t.Errorf("%s: memory is measured", tt.name)
				return nil, nil
			},
			FreeDisk: func(context.Context) error { return nil },
			VolumeUsage: func(_ context.Context, pod types.UID, v *corev1.Volume) (disk.Usage, error) {
				if v.Name != "v" || pod == "going" || pod == "system" {
					t.Errorf("%s: volume %s of pod %s is measured", tt.name, v.Name, pod)
				}
				return volumes[pod], nil
			},
			ContainerUsage: func(_ context.Context, pod *corev1.Pod) (map[string]Written, error) {
				if pod.UID == tt.unreadable {
					return nil, errors.New("no such container")
				}
				return containers[pod.UID], nil
			},
			Evict: func(pod types.UID, v status.Verdict) { got, message = string(pod), v.Message },
		})
		if err := e.look(t.Context(), time.Now()); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got != tt.want || !strings.Contains(message, tt.using) {
			t.Errorf("%s: %q is evicted with %q, want %q with %q", tt.name, got, message, tt.want, tt.using)
		}
	}
}

func TestMeasuringPodsOnDiskEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := []types.UID{"b", "d"}
		e := New(Node{
			VolumeUsage: func(ctx context.Context, pod types.UID, _ *corev1.Volume) (disk.Usage, error) {
				if slices.Contains(slow, pod) {
					<-ctx.Done()
					return disk.Usage{Bytes: 3}, ctx.Err()
				}
				return disk.Usage{Bytes: 5}, ctx.Err()
			},
			ContainerUsage: func(ctx context.Context, _ *corev1.Pod) (map[string]Written, error) { return nil, ctx.Err() },
		})
		pods := []*corev1.Pod{onDisk("a", 0), onDisk("b", 0), onDisk("c", 0), onDisk("d", 0)}
		began := time.Now()
		got, err := e.holdAll(t.Context(), pods, held.total)
		if took := time.Since(began); took != measureFor {
			t.Errorf("it took %s", took)
		}
		if err != nil || got["a"].Disk != 5 || got["b"].Disk != 3 || got["c"].Disk != 5 || got["d"].Disk != 3 {
			t.Errorf("got %v, %v, want what was found in time", got, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if got, err := e.holdAll(ctx, pods, held.total); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, %v of a kubelet that ends", got, err)
		}
	})
}
