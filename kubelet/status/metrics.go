package status

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/kubelet/metrics"
)

// countTerminations tells of containers that have ended since the last status.
func countTerminations(before, now *corev1.PodStatus, ended func(kind string, exitCode int32, reason string)) {
	count := func(kind string, before, now []corev1.ContainerStatus) {
		for _, s := range now {
			if end := s.State.Terminated; end != nil && !endedIn(before, s.Name) {
				ended(kind, end.ExitCode, end.Reason)
			}
		}
	}
	count(metrics.Container, before.ContainerStatuses, now.ContainerStatuses)
	count(metrics.InitContainer, before.InitContainerStatuses, now.InitContainerStatuses)
	count(metrics.EphemeralContainer, before.EphemeralContainerStatuses, now.EphemeralContainerStatuses)
}

func endedIn(list []corev1.ContainerStatus, name string) bool {
	for _, s := range list {
		if s.Name == name {
			return s.State.Terminated != nil
		}
	}
	return false
}
