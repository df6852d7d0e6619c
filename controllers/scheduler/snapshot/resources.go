package snapshot

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/coracle-k8s/coracle/apis/core"
)

// What a container without a request counts for when nodes are ranked, so
// that a crowd of such pods spreads: 100m of CPU and 200 MB of memory.
const (
	defaultMilliCPU = 100
	defaultMemory   = 200 * 1024 * 1024
)

// Resources is an amount of each resource: CPU in thousandths, storage and
// memory in bytes, others in units.
type Resources struct {
	MilliCPU         int64
	Memory           int64
	EphemeralStorage int64
	// Pods is how many pods a node may run; unused in requests.
	Pods int64
	// Other holds extended resources, huge pages and attachable volumes.
	Other map[corev1.ResourceName]int64
}

// ResourcesOf converts a list of quantities. Names that the scheduler does
// not count are left out.
func ResourcesOf(list corev1.ResourceList) Resources {
	var r Resources
	for name, quantity := range list {
		switch name {
		case corev1.ResourceCPU:
			r.MilliCPU = quantity.MilliValue()
		case corev1.ResourceMemory:
			r.Memory = quantity.Value()
		case corev1.ResourceEphemeralStorage:
			r.EphemeralStorage = quantity.Value()
		case corev1.ResourcePods:
			r.Pods = quantity.Value()
		default:
			if isCounted(name) {
				if r.Other == nil {
					r.Other = map[corev1.ResourceName]int64{}
				}
				r.Other[name] = quantity.Value()
			}
		}
	}
	return r
}

// Get returns the amount of one resource.
func (r *Resources) Get(name corev1.ResourceName) int64 {
	switch name {
	case corev1.ResourceCPU:
		return r.MilliCPU
	case corev1.ResourceMemory:
		return r.Memory
	case corev1.ResourceEphemeralStorage:
		return r.EphemeralStorage
	case corev1.ResourcePods:
		return r.Pods
	}
	return r.Other[name]
}

func (r *Resources) add(other *Resources, sign int64) {
	r.MilliCPU += sign * other.MilliCPU
	r.Memory += sign * other.Memory
	r.EphemeralStorage += sign * other.EphemeralStorage
	for name, amount := range other.Other {
		if r.Other == nil {
			r.Other = map[corev1.ResourceName]int64{}
		}
		r.Other[name] += sign * amount
	}
}

// isCounted says whether a resource beyond CPU, memory, storage and pods is
// one that nodes count.
func isCounted(name corev1.ResourceName) bool {
	return core.IsExtended(name) || core.IsHugePages(name) || core.IsAttachableVolumes(name) ||
		strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix)
}

// requestsOf returns what a pod asks of a node, and the same with a default
// for every container that asks for no CPU or memory.
func requestsOf(pod *corev1.Pod) (requests, nonZero Resources) {
	options := resourcehelper.PodResourcesOptions{
		UseStatusResources: true,
		InPlacePodLevelResourcesVerticalScalingEnabled: true,
	}
	requests = ResourcesOf(resourcehelper.PodRequests(pod, options))
	options.NonMissingContainerRequests = corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewMilliQuantity(defaultMilliCPU, resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(defaultMemory, resource.DecimalSI),
	}
	nonZero = ResourcesOf(resourcehelper.PodRequests(pod, options))
	return requests, nonZero
}
