package admission

import (
	"cmp"
	"math"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/apis/core"
)

// Victims chooses the Pods that must go so that a critical Pod gets what it lacks; nil where that cannot be had. Guaranteed Pods go only
// where all others are not enough, then burstable ones, then best effort: of each class as few as possible, and small ones.
// https://kubernetes.io/docs/tasks/administer-cluster/guaranteed-scheduling-critical-addon-pods/
func Victims(pod *corev1.Pod, lacks map[corev1.ResourceName]int64, others []*corev1.Pod) []*corev1.Pod {
	classes := map[corev1.PodQOSClass][]*corev1.Pod{}
	var all []*corev1.Pod
	for _, o := range others {
		if o.UID != pod.UID && outranks(pod, o) {
			class := core.QOSClass(o)
			classes[class] = append(classes[class], o)
			all = append(all, o)
		}
	}
	if len(rest(lacks, all)) > 0 {
		return nil
	}
	bestEffort, burstable := classes[corev1.PodQOSBestEffort], classes[corev1.PodQOSBurstable]
	victims := choose(classes[corev1.PodQOSGuaranteed], rest(lacks, slices.Concat(bestEffort, burstable)))
	victims = append(victims, choose(burstable, rest(lacks, slices.Concat(bestEffort, victims)))...)
	return append(victims, choose(bestEffort, rest(lacks, victims))...)
}

func outranks(a, b *corev1.Pod) bool {
	if IsCritical(a) && !IsCritical(b) {
		return true
	}
	return a.Spec.Priority != nil && b.Spec.Priority != nil && *a.Spec.Priority > *b.Spec.Priority
}

// choose takes Pods until nothing is lacking: each time the one that leaves least of it, of equal ones the smallest.
func choose(pods []*corev1.Pod, lacks map[corev1.ResourceName]int64) (chosen []*corev1.Pod) {
	pods = slices.Clone(pods)
	for len(lacks) > 0 && len(pods) > 0 {
		best := slices.MinFunc(pods, func(a, b *corev1.Pod) int {
			return cmp.Or(cmp.Compare(distance(a, lacks), distance(b, lacks)),
				cmp.Compare(request(a, corev1.ResourceMemory), request(b, corev1.ResourceMemory)),
				cmp.Compare(request(a, corev1.ResourceCPU), request(b, corev1.ResourceCPU)))
		})
		chosen = append(chosen, best)
		lacks = rest(lacks, []*corev1.Pod{best})
		pods = slices.DeleteFunc(pods, func(p *corev1.Pod) bool { return p == best })
	}
	return chosen
}

// distance is how much would be lacking without the Pod: the sum over resources of the squared part.
func distance(pod *corev1.Pod, lacks map[corev1.ResourceName]int64) (sum float64) {
	for name, amount := range lacks {
		if left := amount - request(pod, name); left > 0 {
			sum += math.Pow(float64(left)/float64(amount), 2)
		}
	}
	return sum
}

// rest is what is lacking without those Pods.
func rest(lacks map[corev1.ResourceName]int64, without []*corev1.Pod) map[corev1.ResourceName]int64 {
	out := map[corev1.ResourceName]int64{}
	for name, amount := range lacks {
		for _, pod := range without {
			amount -= request(pod, name)
		}
		if amount > 0 {
			out[name] = amount
		}
	}
	return out
}

func request(pod *corev1.Pod, name corev1.ResourceName) int64 {
	if name == corev1.ResourcePods {
		return 1
	}
	q := core.ResourceRequests(pod)[name]
	if name == corev1.ResourceCPU {
		return q.MilliValue()
	}
	return q.Value()
}
