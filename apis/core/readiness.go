package core

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// PodCondition returns the Pod's condition of the given type, or nil. The result points into pod: read only.
func PodCondition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// PodReady reports whether the Pod's Ready condition is true.
func PodReady(pod *corev1.Pod) bool {
	ready := PodCondition(pod, corev1.PodReady)
	return ready != nil && ready.Status == corev1.ConditionTrue
}

// PodAvailable reports whether the Pod has been ready for at least minReadySeconds at the time now.
func PodAvailable(pod *corev1.Pod, minReadySeconds int32, now time.Time) bool {
	return PodReady(pod) && PodAvailableIn(pod, minReadySeconds, now) <= 0
}

// PodAvailableIn returns how long a ready Pod still has to stay ready until it is available; zero or less means that
// it is. The Pod must be ready.
func PodAvailableIn(pod *corev1.Pod, minReadySeconds int32, now time.Time) time.Duration {
	if minReadySeconds <= 0 {
		return 0
	}
	wait := time.Duration(minReadySeconds) * time.Second
	since := PodCondition(pod, corev1.PodReady).LastTransitionTime
	if since.IsZero() {
		return wait
	}
	return since.Add(wait).Sub(now)
}

// PodTerminal reports whether the Pod has finished for good: all its containers stopped and none will be restarted.
func PodTerminal(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// PodActive reports whether the Pod counts as one of its owner's replicas: neither finished nor being deleted.
func PodActive(pod *corev1.Pod) bool {
	return !PodTerminal(pod) && pod.DeletionTimestamp == nil
}
