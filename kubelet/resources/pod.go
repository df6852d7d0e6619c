package resources

import (
	"github.com/opencontainers/cgroups"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/resource"

	"github.com/coracle-k8s/coracle/apis/core"
)

// forPod is what a Pod's own cgroup is limited to, in pages of pageSizes too. It is pure.
func forPod(pod *corev1.Pod, pageSizes []uint64) *cgroups.Resources {
	requests := resource.PodRequests(pod, resource.PodResourcesOptions{})
	limits, everyCPU, everyMemory := podLimits(pod)
	r := &cgroups.Resources{SkipDevices: true}
	switch core.QOSClass(pod) {
	case corev1.PodQOSBestEffort:
		setShares(r, minShares)
	default:
		setShares(r, Shares(requests.Cpu().MilliValue()))
		// A limit holds for the Pod only when every container has one: another may use what it likes.
		r.CpuPeriod, r.CpuQuota = period, -1
		if everyCPU {
			r.CpuQuota = noLimit(Quota(limits.Cpu().MilliValue()))
		}
		r.Memory = -1
		if everyMemory {
			r.Memory = noLimit(limits.Memory().Value())
		}
	}
	asked := hugePages(requests)
	for _, size := range pageSizes {
		r.HugetlbLimit = append(r.HugetlbLimit, &cgroups.HugepageLimit{Pagesize: pageName(size), Limit: asked[size]})
	}
	return r
}

// forAll is what all Pods together are limited to; tasks of 0 is no limit. CPU is a weight: what the system does not need they may
// use. It is pure.
func forAll(limits corev1.ResourceList, tasks int64, pageSizes []uint64) *cgroups.Resources {
	r := &cgroups.Resources{SkipDevices: true}
	if cpu, found := limits[corev1.ResourceCPU]; found {
		setShares(r, Shares(cpu.MilliValue()))
	}
	if memory, found := limits[corev1.ResourceMemory]; found {
		r.Memory = memory.Value()
	}
	if tasks > 0 {
		r.PidsLimit = &tasks
	}
	pages := hugePages(limits)
	for _, size := range pageSizes {
		r.HugetlbLimit = append(r.HugetlbLimit, &cgroups.HugepageLimit{Pagesize: pageName(size), Limit: pages[size]})
	}
	return r
}

// podLimits are the Pod's limits and whether every container, or the Pod as such, has one of CPU and of memory.
func podLimits(pod *corev1.Pod) (limits corev1.ResourceList, everyCPU, everyMemory bool) {
	everyCPU, everyMemory = true, true
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			own := containers[i].Resources.Limits
			everyCPU = everyCPU && !own.Cpu().IsZero()
			everyMemory = everyMemory && !own.Memory().IsZero()
		}
	}
	limits = resource.PodLimits(pod, resource.PodResourcesOptions{})
	if own := pod.Spec.Resources; own != nil {
		everyCPU = everyCPU || !own.Limits.Cpu().IsZero()
		everyMemory = everyMemory || !own.Limits.Memory().IsZero()
	}
	return limits, everyCPU, everyMemory
}

// MemoryLimit is how much memory all of a Pod may use, 0 where that is not limited.
func MemoryLimit(pod *corev1.Pod) int64 {
	limits, _, every := podLimits(pod)
	if !every {
		return 0
	}
	return limits.Memory().Value()
}

// noLimit is how the kernel is told that there is no limit.
func noLimit(value int64) int64 {
	if value == 0 {
		return -1
	}
	return value
}

// setShares says it in both versions' terms.
func setShares(r *cgroups.Resources, shares uint64) {
	r.CpuShares, r.CpuWeight = shares, cgroups.ConvertCPUSharesToCgroupV2Value(shares)
}
