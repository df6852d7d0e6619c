package runtime

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/apis/core"
)

// RestartsAfter tells whether a container that ended with that code is to be started again: by its own rules, then
// its own policy, then the Pod's.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
func RestartsAfter(spec *corev1.PodSpec, c *corev1.Container, exitCode int32) bool {
	if c.RestartPolicy != nil {
		if _, ok := core.RestartRule(c, exitCode); ok {
			return true // all that a rule may say is to restart
		}
		switch *c.RestartPolicy {
		case corev1.ContainerRestartPolicyAlways:
			return true
		case corev1.ContainerRestartPolicyOnFailure:
			return exitCode != 0
		case corev1.ContainerRestartPolicyNever:
			return false
		}
	}
	switch spec.RestartPolicy {
	case corev1.RestartPolicyNever:
		return false
	case corev1.RestartPolicyOnFailure:
		return exitCode != 0
	}
	return true
}

// RestartsWhenKilled tells whether a container that the kubelet itself stops, for a failed probe, is started again.
func RestartsWhenKilled(spec *corev1.PodSpec, c *corev1.Container) bool {
	if c.RestartPolicy != nil {
		return *c.RestartPolicy != corev1.ContainerRestartPolicyNever
	}
	return spec.RestartPolicy != corev1.RestartPolicyNever
}

// ShouldStart tells whether a container is to be started, given its newest instance.
func ShouldStart(pod *corev1.Pod, c *corev1.Container, newest *Container) bool {
	switch {
	case pod.DeletionTimestamp != nil:
		return false
	case newest == nil:
		return true
	case newest.State == Running:
		return false
	case newest.State == Exited:
		return RestartsAfter(&pod.Spec, c, newest.ExitCode)
	}
	return true
}
