package replicaset

import (
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/controllers/podset"
)

// plan is what one reconciliation does: create Pods, or delete some, never both.
type plan struct {
	create int
	remove []*corev1.Pod
	// again is when the next Pod has been ready for long enough to count as available; zero for never.
	again time.Duration
}

func isActive(pod *corev1.Pod) bool { return core.PodActive(pod) }

func isTerminating(pod *corev1.Pod) bool {
	return !core.PodTerminal(pod) && pod.DeletionTimestamp != nil
}

// decide compares what there is with what is wanted.
func decide(rs *appsv1.ReplicaSet, seen observation, now time.Time) plan {
	p := plan{again: nextAvailable(seen.active, rs.Spec.MinReadySeconds, now)}
	if rs.DeletionTimestamp != nil {
		return p
	}
	surplus := len(seen.active) - int(ptr.Deref(rs.Spec.Replicas, 1))
	switch {
	case surplus < 0:
		p.create = min(-surplus, podset.Burst)
	case surplus > 0:
		p.remove = podset.Victims(seen.active, seen.related, min(surplus, podset.Burst), now)
	}
	return p
}

// nextAvailable returns how long until the first ready Pod becomes available.
func nextAvailable(pods []*corev1.Pod, minReadySeconds int32, now time.Time) time.Duration {
	var next time.Duration
	for _, pod := range pods {
		if !core.PodReady(pod) {
			continue
		}
		if left := core.PodAvailableIn(pod, minReadySeconds, now); left > 0 && (next == 0 || left < next) {
			next = left
		}
	}
	return next
}

// statusOf counts the Pods that were seen. failure is what kept the number from being made right.
func statusOf(rs *appsv1.ReplicaSet, seen observation, failure error, now time.Time) appsv1.ReplicaSetStatus {
	status := appsv1.ReplicaSetStatus{
		Replicas:            int32(len(seen.active)),
		TerminatingReplicas: ptr.To(int32(len(seen.terminating))),
		ObservedGeneration:  rs.Generation,
		Conditions:          conditions(rs, len(seen.active), failure, now),
	}
	template := labels.SelectorFromSet(rs.Spec.Template.Labels)
	for _, pod := range seen.active {
		if template.Matches(labels.Set(pod.Labels)) {
			status.FullyLabeledReplicas++
		}
		if core.PodReady(pod) {
			status.ReadyReplicas++
		}
		if core.PodAvailable(pod, rs.Spec.MinReadySeconds, now) {
			status.AvailableReplicas++
		}
	}
	return status
}

// conditions adds or removes ReplicaFailure. One that is there already is left as it is while the failure lasts.
func conditions(rs *appsv1.ReplicaSet, active int, failure error, now time.Time) []appsv1.ReplicaSetCondition {
	isFailure := func(c appsv1.ReplicaSetCondition) bool { return c.Type == appsv1.ReplicaSetReplicaFailure }
	has := slices.ContainsFunc(rs.Status.Conditions, isFailure)
	kept := slices.Clone(rs.Status.Conditions)
	switch {
	case failure == nil:
		return slices.DeleteFunc(kept, isFailure)
	case has:
		return kept
	}
	reason := ""
	switch wanted := int(ptr.Deref(rs.Spec.Replicas, 1)); {
	case active < wanted:
		reason = "FailedCreate"
	case active > wanted:
		reason = "FailedDelete"
	}
	return append(kept, appsv1.ReplicaSetCondition{
		Type: appsv1.ReplicaSetReplicaFailure, Status: corev1.ConditionTrue, Reason: reason, Message: failure.Error(),
		LastTransitionTime: metav1.NewTime(now),
	})
}
