// Package core says what the objects of the core group mean: defaults, validation and facts, as pure functions.
package core

import (
	corev1 "k8s.io/api/core/v1"
)

// DefaultPod fills in what a Pod means where it says nothing. Besides DefaultPodSpec, what holds for pods but not for the
// templates of pods: requests follow limits, host ports follow container ports, and a grace period is never negative. Safe to repeat.
func DefaultPod(p *corev1.Pod) {
	for i := range p.Spec.Containers {
		requestLimits(&p.Spec.Containers[i].Resources)
	}
	for i := range p.Spec.InitContainers {
		requestLimits(&p.Spec.InitContainers[i].Resources)
	}
	if p.Spec.EnableServiceLinks == nil {
		p.Spec.EnableServiceLinks = new(bool(corev1.DefaultEnableServiceLinks))
	}
	if p.Spec.HostNetwork {
		openHostPorts(p.Spec.Containers)
		openHostPorts(p.Spec.InitContainers)
	}
	if grace := p.Spec.TerminationGracePeriodSeconds; grace != nil && *grace < 0 {
		p.Spec.TerminationGracePeriodSeconds = new(int64(1))
	}
	DefaultPodSpec(&p.Spec)
	defaultPodStatus(&p.Status)
}

// DefaultPodTemplate fills in the defaults of a template that a controller makes pods from. Safe to repeat.
func DefaultPodTemplate(t *corev1.PodTemplateSpec) { DefaultPodSpec(&t.Spec) }

// DefaultPodSpec fills in the defaults that pods and templates of pods share. Safe to repeat.
func DefaultPodSpec(s *corev1.PodSpec) {
	SyncServiceAccount(s)
	if s.DNSPolicy == "" {
		s.DNSPolicy = corev1.DNSClusterFirst
	}
	if s.RestartPolicy == "" {
		s.RestartPolicy = corev1.RestartPolicyAlways
	}
	if s.SecurityContext == nil {
		s.SecurityContext = &corev1.PodSecurityContext{}
	}
	if s.TerminationGracePeriodSeconds == nil {
		s.TerminationGracePeriodSeconds = new(int64(corev1.DefaultTerminationGracePeriodSeconds))
	}
	if s.SchedulerName == "" {
		s.SchedulerName = corev1.DefaultSchedulerName
	}
	for i := range s.Volumes {
		defaultVolume(&s.Volumes[i])
	}
	for i := range s.InitContainers {
		defaultContainer(&s.InitContainers[i])
	}
	for i := range s.Containers {
		defaultContainer(&s.Containers[i])
	}
	for i := range s.EphemeralContainers {
		defaultContainer((*corev1.Container)(&s.EphemeralContainers[i].EphemeralContainerCommon))
	}
	roundUp(s.Overhead)
	if s.Resources != nil {
		roundUp(s.Resources.Limits)
		roundUp(s.Resources.Requests)
	}
}

// SyncServiceAccount makes spec.serviceAccountName and its older name serviceAccount say the same; the first wins.
func SyncServiceAccount(s *corev1.PodSpec) {
	if s.ServiceAccountName == "" {
		s.ServiceAccountName = s.DeprecatedServiceAccount
	}
	s.DeprecatedServiceAccount = s.ServiceAccountName
}

func defaultPodStatus(s *corev1.PodStatus) {
	s.PodIP, s.PodIPs = syncIPs(s.PodIP, s.PodIPs, func(ip string) corev1.PodIP { return corev1.PodIP{IP: ip} }, func(ip corev1.PodIP) string { return ip.IP })
	s.HostIP, s.HostIPs = syncIPs(s.HostIP, s.HostIPs, func(ip string) corev1.HostIP { return corev1.HostIP{IP: ip} }, func(ip corev1.HostIP) string { return ip.IP })
	for _, statuses := range [][]corev1.ContainerStatus{s.InitContainerStatuses, s.ContainerStatuses, s.EphemeralContainerStatuses} {
		for i := range statuses {
			roundUp(statuses[i].AllocatedResources)
			if r := statuses[i].Resources; r != nil {
				roundUp(r.Limits)
				roundUp(r.Requests)
			}
		}
	}
}

// syncIPs keeps the older field with one address equal to the first of the newer field's.
func syncIPs[T any](one string, all []T, wrap func(string) T, unwrap func(T) string) (string, []T) {
	switch {
	case one == "" && len(all) > 0:
		return unwrap(all[0]), all
	case one != "" && (len(all) == 0 || unwrap(all[0]) != one):
		return one, []T{wrap(one)}
	}
	return one, all
}

// requestLimits makes requests equal to limits where there is a limit only.
func requestLimits(r *corev1.ResourceRequirements) {
	for name, limit := range r.Limits {
		if _, ok := r.Requests[name]; !ok {
			if r.Requests == nil {
				r.Requests = make(corev1.ResourceList, len(r.Limits))
			}
			r.Requests[name] = limit.DeepCopy()
		}
	}
}

func openHostPorts(containers []corev1.Container) {
	for i := range containers {
		for j := range containers[i].Ports {
			if port := &containers[i].Ports[j]; port.HostPort == 0 {
				port.HostPort = port.ContainerPort
			}
		}
	}
}
