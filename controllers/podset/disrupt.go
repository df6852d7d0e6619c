package podset

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// MarkDisrupted sets the Pod's DisruptionTarget condition, which tells its owner that its end was no failure of its
// own. It returns the Pod as it is then.
//
// https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
func (c Control) MarkDisrupted(ctx context.Context, pod *corev1.Pod, reason, message string, now time.Time) (*corev1.Pod, error) {
	return c.mark(ctx, pod, func(status *corev1.PodStatus) { disrupt(status, pod.Generation, reason, message, now) })
}

// Fail makes the Pod's phase Failed, unless it is terminal, and sets DisruptionTarget if a reason is given.
func (c Control) Fail(ctx context.Context, pod *corev1.Pod, reason, message string, now time.Time) (*corev1.Pod, error) {
	return c.mark(ctx, pod, func(status *corev1.PodStatus) {
		if status.Phase == corev1.PodSucceeded || status.Phase == corev1.PodFailed {
			return
		}
		status.Phase = corev1.PodFailed
		if reason != "" {
			disrupt(status, pod.Generation, reason, message, now)
		}
	})
}

func (c Control) mark(ctx context.Context, pod *corev1.Pod, change func(*corev1.PodStatus)) (*corev1.Pod, error) {
	marked, before := pod.DeepCopy(), pod.DeepCopy()
	change(&marked.Status)
	before.UID = "" // the patch names it, and so fails on another Pod of the same name
	if err := c.Client.Status().Patch(ctx, marked, client.StrategicMergeFrom(before)); err != nil {
		return nil, fmt.Errorf("writing the status of pod %s: %w", client.ObjectKeyFromObject(pod), err)
	}
	return marked, nil
}

func disrupt(status *corev1.PodStatus, generation int64, reason, message string, now time.Time) {
	condition := corev1.PodCondition{
		Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: reason, Message: message,
		ObservedGeneration: generation, LastTransitionTime: metav1.NewTime(now),
	}
	i := slices.IndexFunc(status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.DisruptionTarget })
	if i < 0 {
		status.Conditions = append(status.Conditions, condition)
		return
	}
	if status.Conditions[i].Status == condition.Status {
		condition.LastTransitionTime = status.Conditions[i].LastTransitionTime
	}
	status.Conditions[i] = condition
}
