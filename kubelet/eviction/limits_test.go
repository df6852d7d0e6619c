package eviction

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/kubelet/disk"
	"github.com/coracle-k8s/coracle/kubelet/status"
)

// holding is a Pod with a container for each limit; "" is none. Its volume may have one too.
func holding(volumeLimit string, medium corev1.StorageMedium, limits ...string) *corev1.Pod {
	p := podOf("p", 0, "0")
	p.Spec.Containers = nil
	for i, limit := range limits {
		c := corev1.Container{Name: string(rune('a' + i))}
		if limit != "" {
			c.Resources.Limits = corev1.ResourceList{corev1.ResourceEphemeralStorage: resource.MustParse(limit)}
		}
		p.Spec.Containers = append(p.Spec.Containers, c)
	}
	dir := &corev1.EmptyDirVolumeSource{Medium: medium}
	if volumeLimit != "" {
		dir.SizeLimit = ptr.To(resource.MustParse(volumeLimit))
	}
	p.Spec.Volumes = []corev1.Volume{
		{Name: "v", VolumeSource: corev1.VolumeSource{EmptyDir: dir}},
		{Name: "host", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}},
	}
	return p
}

func TestPodsThatExceedTheirLimits(t *testing.T) {
	critical := holding("10", "", "10")
	critical.Spec.Priority = ptr.To[int32](systemCritical)
	besideSidecar := holding("", "", "10", "100")
	besideSidecar.Spec.InitContainers, besideSidecar.Spec.Containers = besideSidecar.Spec.Containers[:1], besideSidecar.Spec.Containers[1:]
	besideSidecar.Spec.InitContainers[0].RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
	for _, tt := range []struct {
		name           string
		pod            *corev1.Pod
		volume, first  int64
		second         int64
		volumes, whole bool // what must be measured
		want           string
	}{
		{"nothing is limited", holding("", "", "", ""), 1000, 1000, 1000, false, false, ""},
		{"within all limits", holding("10", "", "20", "20"), 10, 20, 10, true, true, ""},
		{"a volume", holding("10", "", ""), 11, 0, 0, true, false, `Usage of EmptyDir volume "v" exceeds the limit "10". `},
		{"a volume in memory", holding("10", corev1.StorageMediumMemory, ""), 11, 0, 0, false, false, ""},
		{"a volume with a limit of zero", holding("0", "", ""), 11, 0, 0, false, false, ""},
		{"a container", holding("", "", "10", "100"), 0, 11, 0, true, true, `Container a exceeded its local ephemeral storage limit "10". `},
		{"a sidecar", besideSidecar, 0, 11, 0, true, true, `Container a exceeded its local ephemeral storage limit "10". `},
		{"all together", holding("", "", "10", "10"), 5, 8, 8, true, true, "Pod ephemeral local storage usage exceeds the total limit of containers 20. "},
		{"a container without a limit beside one with", holding("", "", "10", ""), 0, 5, 6, true, true, "Pod ephemeral local storage usage exceeds the total limit of containers 10. "},
		{"volumes in memory do not count", holding("", corev1.StorageMediumMemory, "10"), 100, 10, 0, false, true, ""},
		{"what the system needs", critical, 100, 100, 0, false, false, ""},
	} {
		volumes, whole, got := false, false, ""
		e := New(Node{
			Pods: func() []*corev1.Pod { return []*corev1.Pod{tt.pod} },
			VolumeUsage: func(_ context.Context, _ types.UID, v *corev1.Volume) (disk.Usage, error) {
				if v.Name != "v" {
					t.Errorf("%s: %s is measured", tt.name, v.Name)
				}
				volumes = true
				return disk.Usage{Bytes: tt.volume}, nil
			},
			ContainerUsage: func(context.Context, *corev1.Pod) (map[string]Written, error) {
				whole = true
				return map[string]Written{"a": {Logs: disk.Usage{Bytes: tt.first}}, "b": {Files: disk.Usage{Bytes: tt.second}}}, nil
			},
			Evict: func(_ types.UID, v status.Verdict) {
				if got = v.Message; v.Reason != "Evicted" || !v.Immediate || len(v.Conditions) > 0 {
					t.Errorf("%s: %+v, want no disruption: the Pod itself is at fault", tt.name, v)
				}
			},
		})
		e.checkLimits(t.Context())
		if got != tt.want {
			t.Errorf("%s: evicted by %q, want %q", tt.name, got, tt.want)
		}
		if volumes != tt.volumes || whole != tt.whole {
			t.Errorf("%s: measured volumes %v, containers %v; want %v, %v", tt.name, volumes, whole, tt.volumes, tt.whole)
		}
	}
}

func TestAPodThatCannotBeMeasuredStays(t *testing.T) {
	e := New(Node{
		Pods: func() []*corev1.Pod { return []*corev1.Pod{holding("10", "", "")} },
		VolumeUsage: func(context.Context, types.UID, *corev1.Volume) (disk.Usage, error) {
			return disk.Usage{Bytes: 1000}, errors.New("no such directory")
		},
		Evict: func(types.UID, status.Verdict) { t.Error("it is evicted") },
	})
	e.checkLimits(t.Context())
}
