package server

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

func TestCadvisorMetrics(t *testing.T) {
	number := func(n uint64) *runtimeapi.UInt64Value { return &runtimeapi.UInt64Value{Value: n} }
	seen := &look{
		sandboxes: map[string]*runtimeapi.PodSandbox{"s": {Id: "s"}},
		containers: map[string]*runtimeapi.Container{"c1": {
			Id: "c1", CreatedAt: 5e9, Image: &runtimeapi.ImageSpec{Image: "sha256:1", UserSpecifiedImage: "web:v1"},
		}},
		stats: []*runtimeapi.PodSandboxStats{{
			Attributes: &runtimeapi.PodSandboxAttributes{Id: "s", Metadata: &runtimeapi.PodSandboxMetadata{Name: "p", Namespace: "ns", Uid: "u"}},
			Linux: &runtimeapi.LinuxPodSandboxStats{
				Cpu:     &runtimeapi.CpuUsage{Timestamp: 7e9, UsageCoreNanoSeconds: number(3e9)},
				Network: &runtimeapi.NetworkUsage{Timestamp: 7e9, DefaultInterface: &runtimeapi.NetworkInterfaceUsage{Name: "eth0", RxBytes: number(11), TxBytes: number(12)}},
				Containers: []*runtimeapi.ContainerStats{{
					Attributes: &runtimeapi.ContainerAttributes{Id: "c1", Labels: map[string]string{runtime.LabelContainerName: "main"}},
					Cpu:        &runtimeapi.CpuUsage{Timestamp: 7e9, UsageCoreNanoSeconds: number(2e9)},
					Memory:     &runtimeapi.MemoryUsage{Timestamp: 7e9, WorkingSetBytes: number(100)},
				}},
			},
		}},
	}
	got := renderCadvisor(seen, map[types.UID]corev1.PodQOSClass{"u": corev1.PodQOSBurstable})
	container := `container="main",id="/kubepods/burstable/podu/c1",image="web:v1",name="c1",namespace="ns",pod="p"`
	pod := `container="",id="/kubepods/burstable/podu",image="",name="",namespace="ns",pod="p"`
	for _, want := range []string{
		"# TYPE container_cpu_usage_seconds_total counter\n",
		"container_cpu_usage_seconds_total{cpu=\"total\"," + pod + "} 3 7000\n",
		"container_cpu_usage_seconds_total{cpu=\"total\"," + container + "} 2 7000\n",
		"container_memory_working_set_bytes{" + container + "} 100 7000\n",
		"container_network_receive_bytes_total{" + pod + ",interface=\"eth0\"} 11\n",
		"container_network_transmit_bytes_total{" + pod + ",interface=\"eth0\"} 12\n",
		"container_start_time_seconds{" + container + "} 5\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
	if strings.Count(got, "# TYPE container_cpu_usage_seconds_total") != 1 || strings.Contains(got, "node_") {
		t.Errorf("got:\n%s", got)
	}
}
