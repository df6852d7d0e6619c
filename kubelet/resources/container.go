package resources

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/resource"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/coracle-k8s/coracle/apis/core"
)

// Machine is what a container's limits depend on besides its Pod.
type Machine struct {
	// Memory is the machine's, in bytes.
	Memory int64
	// Unified says that cgroups are of version 2.
	Unified bool
	// QoS is how the kernel is to look after memory, of which Pods may have Allocatable.
	QoS         MemoryQoS
	Allocatable int64
	// SwapAccounting says that cgroups can limit swap.
	SwapAccounting bool
	// HugePageSizes are the sizes, in bytes, of the pages that the machine knows besides its ordinary ones.
	HugePageSizes []uint64
}

// ForContainer is what the container runtime is to limit a container to. It is pure.
// https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
func ForContainer(pod *corev1.Pod, c *corev1.Container, m Machine) *runtimeapi.LinuxContainerResources {
	cpu := limitOf(pod, c, corev1.ResourceCPU)
	r := &runtimeapi.LinuxContainerResources{
		CpuShares:          int64(Shares(milli(c.Resources.Requests, c.Resources.Limits))),
		CpuPeriod:          period,
		CpuQuota:           Quota(cpu),
		MemoryLimitInBytes: limitOf(pod, c, corev1.ResourceMemory),
		OomScoreAdj:        oomScore(pod, c, m.Memory),
		HugepageLimits:     pageLimits(c.Resources.Limits, m.HugePageSizes),
	}
	if m.Unified {
		// All of a container's processes are killed together when it exceeds its memory.
		r.Unified = m.QoS.container(pod, c, m.Allocatable)
		r.Unified["memory.oom.group"] = "1"
	}
	switch { // nothing is swapped out
	case m.Unified && m.SwapAccounting:
		r.Unified["memory.swap.max"] = "0"
	case m.SwapAccounting:
		r.MemorySwapLimitInBytes = r.MemoryLimitInBytes
	}
	return r
}

// forSandbox is what all of a Pod's containers together are limited to, for runtimes that make a machine for each Pod.
func forSandbox(pod *corev1.Pod) *runtimeapi.LinuxContainerResources {
	without := resource.PodResourcesOptions{ExcludeOverhead: true}
	requests, limits := resource.PodRequests(pod, without), resource.PodLimits(pod, without)
	return &runtimeapi.LinuxContainerResources{
		CpuShares: int64(Shares(milli(requests, limits))), CpuPeriod: period, CpuQuota: Quota(limits.Cpu().MilliValue()),
		MemoryLimitInBytes: limits.Memory().Value(),
	}
}

// milli is the requested CPU in thousandths; the limit where there is one and no request.
func milli(requests, limits corev1.ResourceList) int64 {
	if _, found := requests[corev1.ResourceCPU]; found {
		return requests.Cpu().MilliValue()
	}
	return limits.Cpu().MilliValue()
}

// limitOf is a container's limit of memory in bytes or CPU in thousandths, or else its Pod's: it could use all of that.
func limitOf(pod *corev1.Pod, c *corev1.Container, name corev1.ResourceName) int64 {
	quantity, found := c.Resources.Limits[name]
	if (!found || quantity.IsZero()) && pod.Spec.Resources != nil {
		quantity = pod.Spec.Resources.Limits[name]
	}
	if name == corev1.ResourceCPU {
		return quantity.MilliValue()
	}
	return quantity.Value()
}

// pageLimits limits the use of every size of pages, to nothing where the container does not ask for it.
func pageLimits(limits corev1.ResourceList, sizes []uint64) []*runtimeapi.HugepageLimit {
	asked := hugePages(limits)
	var result []*runtimeapi.HugepageLimit
	for _, size := range sizes {
		result = append(result, &runtimeapi.HugepageLimit{PageSize: pageName(size), Limit: asked[size]})
	}
	return result
}

// The order in which the kernel kills when memory runs out: the higher, the earlier.
const (
	oomGuaranteed = -997
	oomBestEffort = 1000
)

// oomScore says how early a container's processes are to die when the machine's memory runs out: best effort first, then
// burstable ones by how little they requested. https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#node-out-of-memory-behavior
func oomScore(pod *corev1.Pod, c *corev1.Container, memory int64) int64 {
	if isNodeCritical(pod) {
		return oomGuaranteed
	}
	switch core.QOSClass(pod) {
	case corev1.PodQOSGuaranteed:
		return oomGuaranteed
	case corev1.PodQOSBestEffort:
		return oomBestEffort
	}
	share := undistributed(pod)
	requested := c.Resources.Requests.Memory().Value() + share
	if isSidecar(pod, c) {
		requested = max(requested, leastRequest(pod)+share)
	}
	score := 1000 - 1000*requested/max(memory, 1)
	return min(max(score, 1000+oomGuaranteed), oomBestEffort-1)
}

// isNodeCritical says whether the node cannot do without the Pod.
func isNodeCritical(pod *corev1.Pod) bool {
	const critical = 2_000_000_000
	return pod.Spec.PriorityClassName == "system-node-critical" && pod.Spec.Priority != nil && *pod.Spec.Priority >= critical
}

func isSidecar(pod *corev1.Pod, c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways &&
		slices.ContainsFunc(pod.Spec.InitContainers, func(i corev1.Container) bool { return i.Name == c.Name })
}

// leastRequest is the least memory that one of the regular containers requests.
func leastRequest(pod *corev1.Pod) int64 {
	least := int64(-1)
	for i := range pod.Spec.Containers {
		if r := pod.Spec.Containers[i].Resources.Requests.Memory().Value(); least < 0 || r < least {
			least = r
		}
	}
	return max(least, 0)
}

// undistributed is each container's part of the memory that the Pod requests beyond what its containers do.
func undistributed(pod *corev1.Pod) int64 {
	if pod.Spec.Resources == nil {
		return 0
	}
	total, found := pod.Spec.Resources.Requests[corev1.ResourceMemory]
	if !found {
		return 0
	}
	containers := resource.AggregateContainerRequests(pod, resource.PodResourcesOptions{})
	count := int64(len(pod.Spec.Containers))
	for i := range pod.Spec.InitContainers {
		if isSidecar(pod, &pod.Spec.InitContainers[i]) {
			count++
		}
	}
	return max(total.Value()-containers.Memory().Value(), 0) / max(count, 1)
}
