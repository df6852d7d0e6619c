package core

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// PodRestartable reports whether a container of the pod that ends may be started again, whatever its exit code.
func PodRestartable(s *corev1.PodSpec) bool { return s.RestartPolicy == corev1.RestartPolicyAlways }

// IsSidecar reports whether an init container runs on beside the main containers.
// https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/
func IsSidecar(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// IsMirror reports whether the pod only shows what the node's kubelet runs from a file of its own.
func IsMirror(p *corev1.Pod) bool {
	_, ok := p.Annotations[corev1.MirrorPodAnnotationKey]
	return ok
}

// Containers calls f with every container of the pod, init and ephemeral ones too, until it returns false.
func Containers(s *corev1.PodSpec, f func(*corev1.Container) bool) {
	for i := range s.InitContainers {
		if !f(&s.InitContainers[i]) {
			return
		}
	}
	for i := range s.Containers {
		if !f(&s.Containers[i]) {
			return
		}
	}
	for i := range s.EphemeralContainers {
		if !f((*corev1.Container)(&s.EphemeralContainers[i].EphemeralContainerCommon)) {
			return
		}
	}
}

// ContainerStatus finds a container's status by name, of any kind of container; nil if there is none.
func ContainerStatus(s *corev1.PodStatus, name string) *corev1.ContainerStatus {
	for _, all := range [][]corev1.ContainerStatus{s.ContainerStatuses, s.InitContainerStatuses, s.EphemeralContainerStatuses} {
		if i := slices.IndexFunc(all, func(c corev1.ContainerStatus) bool { return c.Name == name }); i >= 0 {
			return &all[i]
		}
	}
	return nil
}

// ContainerPort finds the number that a service's or probe's target port has in the pod: the number itself, or that of
// the port with the name and protocol. Main containers and sidecars count.
func ContainerPort(s *corev1.PodSpec, target intstr.IntOrString, protocol corev1.Protocol) (int32, bool) {
	if target.Type == intstr.Int {
		return target.IntVal, true
	}
	in := func(c *corev1.Container) (int32, bool) {
		for _, p := range c.Ports {
			if p.Name == target.StrVal && p.Protocol == protocol {
				return p.ContainerPort, true
			}
		}
		return 0, false
	}
	for i := range s.Containers {
		if port, ok := in(&s.Containers[i]); ok {
			return port, true
		}
	}
	for i := range s.InitContainers {
		if c := &s.InitContainers[i]; IsSidecar(c) {
			if port, ok := in(c); ok {
				return port, true
			}
		}
	}
	return 0, false
}
