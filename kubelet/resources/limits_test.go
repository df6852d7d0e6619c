package resources

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/cgroups"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const gigabyte = 1 << 30

// list makes a resource list of CPU and memory; "" leaves one out.
func list(cpu, memory string) corev1.ResourceList {
	l := corev1.ResourceList{}
	if cpu != "" {
		l[corev1.ResourceCPU] = resource.MustParse(cpu)
	}
	if memory != "" {
		l[corev1.ResourceMemory] = resource.MustParse(memory)
	}
	return l
}

func podOf(containers ...corev1.ResourceRequirements) *corev1.Pod {
	pod := &corev1.Pod{}
	for i, r := range containers {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: string(rune('a' + i)), Resources: r})
	}
	return pod
}

func TestForContainer(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	guaranteed := corev1.ResourceRequirements{Requests: list("500m", "64Mi"), Limits: list("500m", "64Mi")}
	burstable := corev1.ResourceRequirements{Requests: list("100m", "1Gi")}
	critical := podOf(corev1.ResourceRequirements{})
	critical.Spec.PriorityClassName, critical.Spec.Priority = "system-node-critical", new(int32)
	*critical.Spec.Priority = 2_000_001_000
	sidecar := podOf(corev1.ResourceRequirements{Requests: list("", "2Gi")})
	sidecar.Spec.InitContainers = []corev1.Container{{Name: "s", RestartPolicy: &always}}
	whole := podOf(corev1.ResourceRequirements{}, corev1.ResourceRequirements{})
	whole.Spec.Resources = &corev1.ResourceRequirements{Requests: list("1", "2Gi"), Limits: list("2", "4Gi")}

	for name, c := range map[string]struct {
		pod     *corev1.Pod
		initial bool // the first init container instead of the first container
		machine Machine
		want    *runtimeapi.LinuxContainerResources
	}{
		"best effort":   {pod: podOf(corev1.ResourceRequirements{}), want: &runtimeapi.LinuxContainerResources{CpuShares: 2, OomScoreAdj: 1000}},
		"node critical": {pod: critical, want: &runtimeapi.LinuxContainerResources{CpuShares: 2, OomScoreAdj: -997}},
		"guaranteed": {pod: podOf(guaranteed), want: &runtimeapi.LinuxContainerResources{
			CpuShares: 512, CpuQuota: 50_000, MemoryLimitInBytes: 64 << 20, OomScoreAdj: -997}},
		"burstable": {pod: podOf(burstable), want: &runtimeapi.LinuxContainerResources{CpuShares: 102, OomScoreAdj: 900}},
		"a limit alone is a request": {pod: podOf(corev1.ResourceRequirements{Limits: list("1", "")}), want: &runtimeapi.LinuxContainerResources{
			CpuShares: 1024, CpuQuota: 100_000, OomScoreAdj: 999}},
		"more than all memory":                {pod: podOf(corev1.ResourceRequirements{Requests: list("", "20Gi")}), want: &runtimeapi.LinuxContainerResources{CpuShares: 2, OomScoreAdj: 3}},
		"sidecars last as long as the others": {pod: sidecar, initial: true, want: &runtimeapi.LinuxContainerResources{CpuShares: 2, OomScoreAdj: 800}},
		"limits of the Pod": {pod: whole, want: &runtimeapi.LinuxContainerResources{
			CpuShares: 2, CpuQuota: 200_000, MemoryLimitInBytes: 4 * gigabyte, OomScoreAdj: 900}},
		"version 2": {pod: podOf(guaranteed), machine: Machine{Unified: true, SwapAccounting: true}, want: &runtimeapi.LinuxContainerResources{
			CpuShares: 512, CpuQuota: 50_000, MemoryLimitInBytes: 64 << 20, OomScoreAdj: -997,
			Unified: map[string]string{"memory.oom.group": "1", "memory.swap.max": "0", "memory.min": "0", "memory.low": "0"}}},
		"version 1 with swap": {pod: podOf(guaranteed), machine: Machine{SwapAccounting: true}, want: &runtimeapi.LinuxContainerResources{
			CpuShares: 512, CpuQuota: 50_000, MemoryLimitInBytes: 64 << 20, MemorySwapLimitInBytes: 64 << 20, OomScoreAdj: -997}},
		"huge pages": {
			pod:     podOf(corev1.ResourceRequirements{Limits: corev1.ResourceList{"hugepages-2Mi": resource.MustParse("4Mi")}}),
			machine: Machine{HugePageSizes: []uint64{2 << 20, 1 << 30}},
			want: &runtimeapi.LinuxContainerResources{CpuShares: 2, OomScoreAdj: 1000, HugepageLimits: []*runtimeapi.HugepageLimit{
				{PageSize: "2MB", Limit: 4 << 20}, {PageSize: "1GB"}}},
		},
	} {
		c.machine.Memory, c.want.CpuPeriod = 10*gigabyte, 100_000
		container := &c.pod.Spec.Containers[0]
		if c.initial {
			container = &c.pod.Spec.InitContainers[0]
		}
		got := ForContainer(c.pod, container, c.machine)
		if got.String() != c.want.String() {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestForPod(t *testing.T) {
	limited := corev1.ResourceRequirements{Requests: list("100m", "32Mi"), Limits: list("200m", "64Mi")}
	same := corev1.ResourceRequirements{Requests: list("1", "64Mi"), Limits: list("1", "64Mi")}
	for name, c := range map[string]struct {
		pod  *corev1.Pod
		want cgroups.Resources
	}{
		"best effort": {podOf(corev1.ResourceRequirements{}), cgroups.Resources{CpuShares: 2, CpuWeight: 1}},
		"guaranteed":  {podOf(same, same), cgroups.Resources{CpuShares: 2048, CpuWeight: 174, CpuPeriod: 100_000, CpuQuota: 200_000, Memory: 128 << 20}},
		"every container is limited": {podOf(limited, limited), cgroups.Resources{
			CpuShares: 204, CpuWeight: 29, CpuPeriod: 100_000, CpuQuota: 40_000, Memory: 128 << 20}},
		"one container is not limited": {podOf(limited, corev1.ResourceRequirements{Requests: list("100m", "32Mi")}), cgroups.Resources{
			CpuShares: 204, CpuWeight: 29, CpuPeriod: 100_000, CpuQuota: -1, Memory: -1}},
	} {
		c.want.SkipDevices = true
		if diff := cmp.Diff(&c.want, forPod(c.pod, nil)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestForAll(t *testing.T) {
	machine := list("3", "1Gi")
	machine["hugepages-2Mi"] = resource.MustParse("100Mi")
	tasks := int64(4000)
	want := &cgroups.Resources{SkipDevices: true, CpuShares: 3072, CpuWeight: cgroups.ConvertCPUSharesToCgroupV2Value(3072), Memory: gigabyte, PidsLimit: &tasks,
		HugetlbLimit: []*cgroups.HugepageLimit{{Pagesize: "2MB", Limit: 100 << 20}, {Pagesize: "1GB"}}}
	if diff := cmp.Diff(want, forAll(machine, tasks, []uint64{2 << 20, 1 << 30})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&cgroups.Resources{SkipDevices: true}, forAll(nil, 0, nil)); diff != "" {
		t.Errorf("of nothing (-want +got):\n%s", diff)
	}
}

func TestAllocatable(t *testing.T) {
	capacity := list("2", "1Gi")
	capacity["hugepages-2Mi"] = resource.MustParse("100Mi")
	capacity[corev1.ResourceEphemeralStorage] = resource.MustParse("1000")
	got := Allocatable(capacity)
	for name, want := range map[corev1.ResourceName]string{corev1.ResourceCPU: "2", corev1.ResourceMemory: "824Mi", "hugepages-2Mi": "100Mi", corev1.ResourceEphemeralStorage: "900"} {
		if have := got[name]; have.Cmp(resource.MustParse(want)) != 0 {
			t.Errorf("%s: %s, want %s", name, have.String(), want)
		}
	}
	if small := Allocatable(list("", "50Mi")); small.Memory().Sign() != 0 {
		t.Errorf("of 50Mi %s are left", small.Memory())
	}
}
