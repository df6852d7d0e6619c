package core

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/net"
)

// ValidatePodStatusUpdate checks what a kubelet, or whoever else, reports of a pod.
func ValidatePodStatusUpdate(pod, old *corev1.Pod) field.ErrorList {
	p, at := newPodProblems(pod), field.NewPath("status")
	p.annotationsUpdate(field.NewPath("metadata", "annotations"), old.Annotations)
	is, was := &pod.Status, &old.Status
	p.podConditions(at.Child("conditions"), is.Conditions)
	if is.NominatedNodeName != was.NominatedNodeName && is.NominatedNodeName != "" {
		p.subdomain(at.Child("nominatedNodeName"), is.NominatedNodeName)
		if old.Spec.NodeName != "" {
			p.forbidden(at.Child("nominatedNodeName"), "may not be set on pods that are already bound to a node")
		}
	}
	if is.ObservedGeneration < 0 {
		p.invalid(at.Child("observedGeneration"), is.ObservedGeneration, "must be a non-negative integer")
	}
	p.join(apivalidation.ValidateImmutableField(is.QOSClass, was.QOSClass, at.Child("qosClass")))
	p.ended(at.Child("containerStatuses"), is.ContainerStatuses, was.ContainerStatuses, old.Spec.Containers, &old.Spec)
	p.ended(at.Child("initContainerStatuses"), is.InitContainerStatuses, was.InitContainerStatuses, old.Spec.InitContainers, &old.Spec)
	p.ended(at.Child("ephemeralContainerStatuses"), is.EphemeralContainerStatuses, was.EphemeralContainerStatuses, nil, nil)
	p.claimStatuses(at.Child("resourceClaimStatuses"), is.ResourceClaimStatuses)
	p.extendedClaim(at.Child("extendedResourceClaimStatus"), is.ExtendedResourceClaimStatus)
	p.containerUsers(at.Child("containerStatuses"), is.ContainerStatuses)
	p.containerUsers(at.Child("initContainerStatuses"), is.InitContainerStatuses)
	p.containerUsers(at.Child("ephemeralContainerStatuses"), is.EphemeralContainerStatuses)
	p.allocated(at.Child("containerStatuses"), is.ContainerStatuses, pod.Spec.Containers, is.ExtendedResourceClaimStatus)
	p.allocated(at.Child("initContainerStatuses"), is.InitContainerStatuses, pod.Spec.InitContainers, is.ExtendedResourceClaimStatus)
	p.nothingAllocated(at.Child("ephemeralContainerStatuses"), is.EphemeralContainerStatuses)
	var podIPs, oldPodIPs, hostIPs, oldHostIPs []string
	for _, ip := range is.PodIPs {
		podIPs = append(podIPs, ip.IP)
	}
	for _, ip := range was.PodIPs {
		oldPodIPs = append(oldPodIPs, ip.IP)
	}
	for _, ip := range is.HostIPs {
		hostIPs = append(hostIPs, ip.IP)
	}
	for _, ip := range was.HostIPs {
		oldHostIPs = append(oldHostIPs, ip.IP)
	}
	p.ips(at.Child("podIPs"), podIPs, oldPodIPs, is.PodIPs)
	p.ips(at.Child("hostIPs"), hostIPs, oldHostIPs, is.HostIPs)
	return p.list
}

func (p *problems) podConditions(at *field.Path, all []corev1.PodCondition) {
	for i, c := range all {
		if c.ObservedGeneration < 0 {
			p.invalid(at.Index(i).Child("observedGeneration"), c.ObservedGeneration, "must be a non-negative integer")
		}
		if c.Type != corev1.PodScheduled && c.Type != corev1.PodReady && c.Type != corev1.PodInitialized {
			p.qualifiedName(at.Index(i).Child("Type"), string(c.Type))
		}
	}
}

// ended refuses to bring back containers that ended and will not be started again. Spec is nil where none ever is.
func (p *problems) ended(at *field.Path, is, was []corev1.ContainerStatus, containers []corev1.Container, spec *corev1.PodSpec) {
	if spec != nil && MayRestartAll(spec) {
		return
	}
	for i := range was {
		end := was[i].State.Terminated
		if end == nil {
			continue
		}
		j := slices.IndexFunc(is, func(c corev1.ContainerStatus) bool { return c.Name == was[i].Name && c.State.Terminated == nil })
		if j < 0 {
			continue
		}
		k := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == was[i].Name })
		if k < 0 || !ContainerRestarts(&containers[k], spec, end.ExitCode) {
			p.forbidden(at.Index(i).Child("state"), "may not be transitioned to non-terminated state")
		}
	}
}

// ContainerRestarts reports whether a container that ended with the exit code is to be started again: by its own rules,
// its own policy or the pod's, in this order.
func ContainerRestarts(c *corev1.Container, spec *corev1.PodSpec, exitCode int32) bool {
	if action, ok := RestartRule(c, exitCode); ok {
		return action == corev1.ContainerRestartRuleActionRestart || action == corev1.ContainerRestartRuleActionRestartAllContainers
	}
	policy := corev1.ContainerRestartPolicy(spec.RestartPolicy)
	if c.RestartPolicy != nil {
		policy = *c.RestartPolicy
	}
	return policy == corev1.ContainerRestartPolicyAlways || policy == corev1.ContainerRestartPolicyOnFailure && exitCode != 0
}

func (p *podProblems) claimStatuses(at *field.Path, all []corev1.PodResourceClaimStatus) {
	seen := map[string]bool{}
	for i, s := range all {
		at := at.Index(i)
		if !slices.ContainsFunc(p.spec.ResourceClaims, func(c corev1.PodResourceClaim) bool { return c.Name == s.Name }) {
			p.invalid(at.Child("name"), s.Name, "must match the name of an entry in `spec.resourceClaims`")
		}
		if seen[s.Name] {
			p.duplicate(at.Child("name"), s.Name)
		}
		seen[s.Name] = true
		if s.ResourceClaimName != nil {
			p.subdomain(at.Child("resourceClaimName"), *s.ResourceClaimName)
		}
	}
}

// ips allows one address of each family; shown is what an error shows.
func (p *problems) ips(at *field.Path, all, before []string, shown any) {
	for i, ip := range all {
		p.ip(at.Index(i), ip, before)
	}
	if len(all) > 1 {
		if dual, err := net.IsDualStackIPStrings(all); err != nil || !dual || len(all) > 2 {
			p.invalid(at, shown, "may specify no more than one IP for each IP family")
		}
	}
}

// PodStatusWarnings tells of addresses in unusual forms.
func PodStatusWarnings(s *corev1.PodStatus) (all []string) {
	at := field.NewPath("status")
	for i, ip := range s.PodIPs {
		all = append(all, validation.GetWarningsForIP(at.Child("podIPs").Index(i).Child("ip"), ip.IP)...)
	}
	for i, ip := range s.HostIPs {
		all = append(all, validation.GetWarningsForIP(at.Child("hostIPs").Index(i).Child("ip"), ip.IP)...)
	}
	return all
}
