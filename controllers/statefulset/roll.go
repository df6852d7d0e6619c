package statefulset

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// roll replaces Pods of other revisions than the latest, from the highest number down to the partition, as many at once as may be
// unavailable. In parallel, those that do not work go first and at once: they are unavailable anyhow, and what is broken there may be
// what the latest revision mends.
func (o observation) roll(replicas []*corev1.Pod, p *plan) {
	left := o.maxUnavailable()
	for _, pod := range replicas {
		if !o.works(pod) {
			left--
		}
	}
	above := replicas[min(o.partition(), len(replicas)):]
	old := func(pod *corev1.Pod) bool {
		return pod != nil && pod.DeletionTimestamp == nil && revisionName(pod) != o.update
	}
	if !o.inOrder() {
		for _, pod := range slices.Backward(above) {
			if old(pod) && !o.works(pod) {
				p.remove = append(p.remove, pod)
			}
		}
	}
	for _, pod := range slices.Backward(above) {
		if left > 0 && old(pod) && o.works(pod) {
			p.remove = append(p.remove, pod)
			left--
		}
	}
}

func (o observation) partition() int {
	if r := o.set.Spec.UpdateStrategy.RollingUpdate; r != nil {
		return int(ptr.Deref(r.Partition, 0))
	}
	return 0
}

// maxUnavailable is rounded down, but an update goes on with any value.
func (o observation) maxUnavailable() int {
	r := o.set.Spec.UpdateStrategy.RollingUpdate
	if r == nil || r.MaxUnavailable == nil {
		return 1
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(r.MaxUnavailable, int(ptr.Deref(o.set.Spec.Replicas, 1)), false)
	if err != nil {
		return 1 // validation has seen it
	}
	return max(n, 1)
}
