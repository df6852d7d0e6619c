package admission

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/apis/core"
)

// Resources returns what there is not enough of for the Pod, nil where there is enough. Resources that the node does not know are not
// its own: whoever accounts for them has.
func Resources(r Request) *Refusal {
	r.Others = others(r)
	lacks := map[corev1.ResourceName]int64{}
	var first *Refusal
	short := func(name corev1.ResourceName, asked, used, have int64) {
		lacks[name] = asked + used - have
		if first == nil {
			first = refuse("OutOf"+string(name), "Node didn't have enough resource: %s, requested: %d, used: %d, capacity: %d", name, asked, used, have)
		}
	}
	if limit := r.Node.Status.Allocatable.Pods(); !limit.IsZero() && int64(len(r.Others))+1 > limit.Value() {
		short(corev1.ResourcePods, 1, int64(len(r.Others)), limit.Value())
	}
	requests := core.ResourceRequests(r.Pod)
	used := corev1.ResourceList{}
	if len(requests) > 0 {
		for _, o := range r.Others {
			for name, q := range core.ResourceRequests(o) {
				sum := used[name]
				sum.Add(q)
				used[name] = sum
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(requests)) {
		asked := requests[name]
		have, known := r.Node.Status.Allocatable[name]
		if asked.IsZero() || !known {
			continue
		}
		taken := used[name]
		sum := taken.DeepCopy()
		sum.Add(asked)
		if sum.Cmp(have) <= 0 {
			continue
		}
		if name == corev1.ResourceCPU {
			short(name, asked.MilliValue(), taken.MilliValue(), have.MilliValue())
		} else {
			short(name, asked.Value(), taken.Value(), have.Value())
		}
	}
	if first != nil {
		first.Lacks = lacks
	}
	return first
}
