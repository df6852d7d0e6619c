package status

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

var terminated = metrics.NewCounterVec(&metrics.CounterOpts{
	Subsystem:      "kubelet",
	Name:           "terminated_containers_total",
	Help:           "Cumulative number of container terminations.",
	StabilityLevel: metrics.ALPHA,
}, []string{"container_type", "exit_code", "reason"})

// RegisterMetrics is for the process, not for each kubelet in it: registered again is no error.
func RegisterMetrics() { _ = legacyregistry.Register(terminated) }

// countTerminations counts containers that have ended since the last status.
func countTerminations(before, now *corev1.PodStatus) {
	count := func(kind string, before, now []corev1.ContainerStatus) {
		for _, s := range now {
			if end := s.State.Terminated; end != nil && !endedIn(before, s.Name) {
				terminated.WithLabelValues(kind, strconv.Itoa(int(end.ExitCode)), end.Reason).Inc()
			}
		}
	}
	count("container", before.ContainerStatuses, now.ContainerStatuses)
	count("init_container", before.InitContainerStatuses, now.InitContainerStatuses)
	count("ephemeral_container", before.EphemeralContainerStatuses, now.EphemeralContainerStatuses)
}

func endedIn(list []corev1.ContainerStatus, name string) bool {
	for _, s := range list {
		if s.Name == name {
			return s.State.Terminated != nil
		}
	}
	return false
}
