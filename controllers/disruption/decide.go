package disruption

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/coracle-k8s/coracle/apis/core"
)

// grace is how long an eviction that was allowed counts, though its Pod is not being deleted yet.
const grace = 2 * time.Minute

// decide computes a budget's status. scale is how many Pods the owners of the Pods want in all; it counts where the budget
// is a share of that. overdue are Pods that were to be evicted and never were; again is when the next one will be.
//
// https://kubernetes.io/docs/tasks/run-application/configure-pdb/
func decide(b *policyv1.PodDisruptionBudget, pods []*corev1.Pod, scale int32, now time.Time) (
	status policyv1.PodDisruptionBudgetStatus, overdue []*corev1.Pod, again time.Duration) {
	status = *b.Status.DeepCopy()
	status.ObservedGeneration = b.Generation
	status.DisruptedPods, overdue, again = disrupted(b, pods, now)
	status.ExpectedPods, status.DesiredHealthy = wanted(b, int32(len(pods)), scale)
	status.CurrentHealthy = 0
	for _, pod := range pods {
		if _, going := status.DisruptedPods[pod.Name]; !going && pod.DeletionTimestamp == nil && core.PodReady(pod) {
			status.CurrentHealthy++
		}
	}
	status.DisruptionsAllowed = max(0, status.CurrentHealthy-status.DesiredHealthy)
	if status.ExpectedPods <= 0 {
		status.DisruptionsAllowed = 0
	}
	reason := policyv1.InsufficientPodsReason
	if status.DisruptionsAllowed > 0 {
		reason = policyv1.SufficientPodsReason
	}
	setAllowed(&status, b.Generation, reason, "", now)
	return status, overdue, again
}

func setAllowed(status *policyv1.PodDisruptionBudgetStatus, generation int64, reason, message string, now time.Time) {
	c := metav1.Condition{
		Type: policyv1.DisruptionAllowedCondition, Status: metav1.ConditionFalse, Reason: reason, Message: message,
		ObservedGeneration: generation, LastTransitionTime: metav1.NewTime(now),
	}
	if reason == policyv1.SufficientPodsReason {
		c.Status = metav1.ConditionTrue
	}
	meta.SetStatusCondition(&status.Conditions, c)
}

// needsScale reports whether the budget is about a share of what the Pods' owners want.
func needsScale(b *policyv1.PodDisruptionBudget) bool {
	return b.Spec.MaxUnavailable != nil || b.Spec.MinAvailable != nil && b.Spec.MinAvailable.Type == intstr.String
}

// wanted is how many Pods are expected, and how many of them have to be healthy.
func wanted(b *policyv1.PodDisruptionBudget, pods, scale int32) (expected, healthy int32) {
	scaled := func(value *intstr.IntOrString) int32 {
		n, err := intstr.GetScaledValueFromIntOrPercent(value, int(scale), true)
		if err != nil {
			return scale // what validation would have refused allows nothing
		}
		return int32(n)
	}
	switch {
	case b.Spec.MaxUnavailable != nil:
		return scale, max(0, scale-scaled(b.Spec.MaxUnavailable))
	case b.Spec.MinAvailable == nil:
		return pods, 0
	case b.Spec.MinAvailable.Type == intstr.Int:
		return pods, b.Spec.MinAvailable.IntVal
	}
	return scale, scaled(b.Spec.MinAvailable)
}

// disrupted keeps the evictions that were allowed a short time ago and have not begun.
func disrupted(b *policyv1.PodDisruptionBudget, pods []*corev1.Pod, now time.Time) (kept map[string]metav1.Time, overdue []*corev1.Pod, again time.Duration) {
	for _, pod := range pods {
		at, allowed := b.Status.DisruptedPods[pod.Name]
		if !allowed || pod.DeletionTimestamp != nil {
			continue
		}
		left := at.Add(grace).Sub(now)
		if left <= 0 {
			overdue = append(overdue, pod)
			continue
		}
		if kept == nil {
			kept = map[string]metav1.Time{}
		}
		kept[pod.Name] = at
		if again == 0 || left < again {
			again = left
		}
	}
	return kept, overdue, again
}
