package podset

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/apis/core"
)

// Victims returns the n pods to delete first: unscheduled before scheduled, pending before unknown before running,
// unready before ready, lower deletion cost first, then those that share their node with most of the related pods,
// the more recently ready ones, those with more restarts, the younger ones. Ages are compared by their order of
// magnitude only, so that not always the youngest dies.
//
// https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-a-replicaset
func Victims(pods, related []*corev1.Pod, n int, now time.Time) []*corev1.Pod {
	if n >= len(pods) {
		return pods
	}
	onNode := map[string]int{}
	for _, pod := range related {
		if core.PodActive(pod) {
			onNode[pod.Spec.NodeName]++
		}
	}
	ordered := slices.Clone(pods)
	slices.SortStableFunc(ordered, func(a, b *corev1.Pod) int {
		return cmp.Or(
			last(a.Spec.NodeName != "", b.Spec.NodeName != ""),
			cmp.Compare(phaseOrder(a), phaseOrder(b)),
			last(core.PodReady(a), core.PodReady(b)),
			cmp.Compare(deletionCost(a), deletionCost(b)),
			cmp.Compare(onNode[b.Spec.NodeName], onNode[a.Spec.NodeName]),
			byReadyTime(a, b, now),
			byRestarts(a, b),
			byAge(a.CreationTimestamp.Time, b.CreationTimestamp.Time, now, a, b),
		)
	})
	return ordered[:n]
}

// last puts those of which it is true behind the others.
func last(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func phaseOrder(pod *corev1.Pod) int {
	switch pod.Status.Phase {
	case corev1.PodUnknown:
		return 1
	case corev1.PodRunning:
		return 2
	}
	return 0
}

// deletionCost is zero where the annotation is missing or not one that the API server accepts.
func deletionCost(pod *corev1.Pod) int64 {
	text := pod.Annotations[corev1.PodDeletionCost]
	if len(text) > 1 && (text[0] == '+' || text[0] == '0') {
		return 0
	}
	cost, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0
	}
	return cost
}

func byReadyTime(a, b *corev1.Pod, now time.Time) int {
	if !core.PodReady(a) || !core.PodReady(b) {
		return 0
	}
	readyA := core.PodCondition(a, corev1.PodReady).LastTransitionTime.Time
	readyB := core.PodCondition(b, corev1.PodReady).LastTransitionTime.Time
	return byAge(readyA, readyB, now, a, b)
}

// byAge puts the younger first, and those without a time before all. Times of the same order of magnitude are in the
// order of UIDs, which is as good as random.
func byAge(a, b, now time.Time, podA, podB *corev1.Pod) int {
	if a.Equal(b) {
		return 0
	}
	if a.IsZero() || b.IsZero() {
		return last(!a.IsZero(), !b.IsZero())
	}
	return cmp.Or(cmp.Compare(magnitude(now.Sub(a)), magnitude(now.Sub(b))), cmp.Compare(podA.UID, podB.UID))
}

func magnitude(age time.Duration) int64 {
	if age <= 0 {
		return -1
	}
	return int64(math.Log2(float64(age)))
}

func byRestarts(a, b *corev1.Pod) int {
	regularA, sidecarA := restarts(a)
	regularB, sidecarB := restarts(b)
	return cmp.Or(cmp.Compare(regularB, regularA), cmp.Compare(sidecarB, sidecarA))
}

// restarts returns the highest counts among regular containers and among sidecars.
func restarts(pod *corev1.Pod) (regular, sidecar int32) {
	for _, status := range pod.Status.ContainerStatuses {
		regular = max(regular, status.RestartCount)
	}
	always := map[string]bool{}
	for _, c := range pod.Spec.InitContainers {
		always[c.Name] = ptr.Deref(c.RestartPolicy, "") == corev1.ContainerRestartPolicyAlways
	}
	for _, status := range pod.Status.InitContainerStatuses {
		if always[status.Name] {
			sidecar = max(sidecar, status.RestartCount)
		}
	}
	return regular, sidecar
}
