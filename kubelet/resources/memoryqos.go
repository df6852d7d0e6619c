package resources

import (
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/resource"

	"github.com/coracle-k8s/coracle/apis/core"
)

// MemoryQoS is how the kernel is to look after Pods' memory, where cgroups are of version 2. The zero value leaves that to the kernel, as
// upstream does unless it is told otherwise.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/#memory-qos-with-cgroup-v2
type MemoryQoS struct {
	// Tiered keeps what Pods request: from guaranteed ones the kernel takes nothing of it, from burstable ones only as a last resort.
	Tiered bool
	// Throttling is where between its request and its limit a container is made to give memory back, 0 for nowhere, at most 1. Without a
	// limit it is the node's memory that counts.
	Throttling float64
}

// The policies of reservation, by upstream's names.
const (
	ReserveNone   = "None"
	ReserveTiered = "TieredReservation"
)

// ParseMemoryQoS reads a policy, "" for none, and checks the factor.
func ParseMemoryQoS(policy string, throttling float64) (MemoryQoS, error) {
	if policy != "" && policy != ReserveNone && policy != ReserveTiered {
		return MemoryQoS{}, fmt.Errorf("%q is neither %s nor %s", policy, ReserveNone, ReserveTiered)
	}
	if throttling < 0 || throttling > 1 {
		return MemoryQoS{}, fmt.Errorf("a factor of %v is not from 0 to 1", throttling)
	}
	return MemoryQoS{Tiered: policy == ReserveTiered, Throttling: throttling}, nil
}

const (
	memoryMin  = "memory.min"
	memoryLow  = "memory.low"
	memoryHigh = "memory.high"
)

// page is what memory is counted in.
const page = 4096

// container is what a container's cgroup is told, beside its limits. allocatable is the node's memory for Pods.
func (q MemoryQoS) container(pod *corev1.Pod, c *corev1.Container, allocatable int64) map[string]string {
	request, limit := c.Resources.Requests.Memory().Value(), c.Resources.Limits.Memory().Value()
	told := map[string]string{memoryMin: "0", memoryLow: "0"}
	if q.Tiered && request != 0 {
		told = map[string]string{protection(pod): strconv.FormatInt(request, 10)}
	}
	// A container without a limit shares its Pod's, where that has one; the Pod's own cgroup is made to give back then.
	ofPod := limit == 0 && pod.Spec.Resources != nil && !pod.Spec.Resources.Limits.Memory().IsZero()
	if request == limit && request != 0 || ofPod {
		return told
	}
	if limit == 0 {
		limit = allocatable
	}
	if high := q.high(request, limit); high > 0 {
		told[memoryHigh] = strconv.FormatInt(high, 10)
	}
	return told
}

// pod is what a Pod's own cgroup is told, nil for nothing.
func (q MemoryQoS) pod(pod *corev1.Pod) map[string]string {
	requests := resource.PodRequests(pod, resource.PodResourcesOptions{})
	request := requests.Memory().Value()
	var told map[string]string
	if q.Tiered && request > 0 {
		told = map[string]string{protection(pod): strconv.FormatInt(request, 10)}
	}
	limits, _, every := podLimits(pod)
	if limit := limits.Memory().Value(); resource.IsPodLevelResourcesSet(pod) && every && request != limit {
		if high := q.high(request, limit); high > 0 {
			if told == nil {
				told = map[string]string{}
			}
			told[memoryHigh] = strconv.FormatInt(high, 10)
		}
	}
	return told
}

// above is what the cgroup of all Pods is told, and that of burstable ones: who is below another is kept only what that is kept.
func (q MemoryQoS) above(guaranteed, burstable int64) (all, ofBurstable map[string]string) {
	if !q.Tiered {
		guaranteed, burstable = 0, 0
	}
	low := strconv.FormatInt(burstable, 10)
	return map[string]string{memoryMin: strconv.FormatInt(guaranteed+burstable, 10), memoryLow: low}, map[string]string{memoryLow: low}
}

// high is from where on memory is taken back, in whole pages; 0 for nowhere.
func (q MemoryQoS) high(request, limit int64) int64 {
	if q.Throttling == 0 || limit == 0 {
		return 0
	}
	high := int64(float64(request)+float64(limit-request)*q.Throttling) / page * page
	if high <= request {
		return 0
	}
	return high
}

// protection is how what a Pod requests is kept.
func protection(pod *corev1.Pod) string {
	if core.QOSClass(pod) == corev1.PodQOSGuaranteed {
		return memoryMin
	}
	return memoryLow
}
