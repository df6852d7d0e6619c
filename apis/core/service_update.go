package core

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/net"
)

// ValidateServiceUpdate checks a changed service: what it must be, and what must not change. Its first address stays for as
// long as it needs one; a second may come and go.
func ValidateServiceUpdate(s, old *corev1.Service) field.ErrorList {
	var p problems
	at := field.NewPath("spec")
	if needsClusterIP(s) && needsClusterIP(old) {
		p.fixedClusterIPs(at, s, old)
		p.fixedFamilies(at, s, old)
	}
	const balancer = corev1.ServiceTypeLoadBalancer
	if s.Spec.Type == balancer && old.Spec.Type == balancer && !samePtr(s.Spec.LoadBalancerClass, old.Spec.LoadBalancerClass) {
		p.invalid(at.Child("loadBalancerClass"), s.Spec.LoadBalancerClass, "may not change once set")
	}
	if class := s.Spec.LoadBalancerClass; class != nil && s.Spec.Type == balancer {
		p.qualifiedName(at.Child("loadBalancerClass"), *class)
	} else if class != nil {
		p.forbidden(at.Child("loadBalancerClass"), onlyBalanced)
	}
	if NeedsHealthCheckNodePort(s) && NeedsHealthCheckNodePort(old) && s.Spec.HealthCheckNodePort != old.Spec.HealthCheckNodePort {
		p.forbidden(at.Child("healthCheckNodePort"), "field is immutable")
	}
	return append(p.list, ValidateService(s, old)...)
}

func isSingle(policy *corev1.IPFamilyPolicy) bool {
	return policy != nil && *policy == corev1.IPFamilyPolicySingleStack
}

func (p *problems) fixedClusterIPs(at *field.Path, s, old *corev1.Service) {
	if isHeadless(s) && isHeadless(old) {
		return
	}
	is, was, at0 := s.Spec.ClusterIPs, old.Spec.ClusterIPs, at.Child("clusterIPs").Index(0)
	switch {
	case len(is) == len(was):
		for i := range was {
			if is[i] != was[i] {
				p.invalid(at.Child("clusterIPs").Index(i), is, "may not change once set")
			}
		}
	case len(is) == 0:
		p.invalid(at0, is, "primary clusterIP can not be unset")
	default:
		if len(was) > 0 && is[0] != was[0] {
			p.invalid(at0, is, "may not change once set")
		}
		if len(is) == 1 && len(was) > 1 && !isSingle(s.Spec.IPFamilyPolicy) {
			p.invalid(at.Child("ipFamilyPolicy"), s.Spec.IPFamilyPolicy, "must be set to 'SingleStack' when releasing the secondary clusterIP")
		}
	}
}

func (p *problems) fixedFamilies(at *field.Path, s, old *corev1.Service) {
	if isHeadless(s) || isHeadless(old) {
		return
	}
	is, was, at0 := s.Spec.IPFamilies, old.Spec.IPFamilies, at.Child("ipFamilies").Index(0)
	switch {
	case len(is) == len(was):
		for i := range was {
			if is[i] != was[i] {
				p.invalid(at0, is, "may not change once set")
			}
		}
		return
	case len(is) < len(was) && len(s.Spec.ClusterIPs) == 0:
		p.invalid(at0, is, "primary ipFamily can not be unset")
	}
	if len(is) > 0 && len(was) > 0 && is[0] != was[0] {
		p.invalid(at0, s.Spec.ClusterIPs, "may not change once set")
	}
	if len(is) == 1 && len(was) > 1 && !isSingle(s.Spec.IPFamilyPolicy) {
		p.invalid(at.Child("ipFamilyPolicy"), s.Spec.IPFamilyPolicy, "must be set to 'SingleStack' when releasing the secondary ipFamily")
	}
}

// ValidateServiceStatusUpdate checks what a load balancer's controller reports.
func ValidateServiceStatusUpdate(s, old *corev1.Service) field.ErrorList {
	var p problems
	p.loadBalancer(field.NewPath("status", "loadBalancer", "ingress"), s, old)
	return p.list
}

func (p *problems) loadBalancer(at *field.Path, s, old *corev1.Service) {
	if s.Spec.Type != corev1.ServiceTypeLoadBalancer {
		if len(s.Status.LoadBalancer.Ingress) > 0 {
			p.forbidden(at, "may only be used when `spec.type` is 'LoadBalancer'")
		}
		return
	}
	var before []string
	for _, in := range old.Status.LoadBalancer.Ingress {
		before = append(before, in.IP)
	}
	for i, in := range s.Status.LoadBalancer.Ingress {
		at := at.Index(i)
		if in.IP != "" {
			p.ip(at.Child("ip"), in.IP, slices.DeleteFunc(before, func(ip string) bool { return ip == "" }))
		}
		switch {
		case in.IPMode == nil && in.IP != "":
			p.required(at.Child("ipMode"), "must be specified when `ip` is set")
		case in.IPMode != nil && in.IP == "":
			p.forbidden(at.Child("ipMode"), "may not be specified when `ip` is not set")
		case in.IPMode != nil:
			oneOf(p, at.Child("ipMode"), *in.IPMode, corev1.LoadBalancerIPModeProxy, corev1.LoadBalancerIPModeVIP)
		}
		if in.Hostname != "" {
			p.subdomain(at.Child("hostname"), in.Hostname)
			if net.ParseIPSloppy(in.Hostname) != nil {
				p.invalid(at.Child("hostname"), in.Hostname, "must be a DNS name, not an IP address")
			}
		}
	}
}

// ServiceStatusWarnings tells of addresses in unusual forms.
func ServiceStatusWarnings(s *corev1.Service) (all []string) {
	for i, in := range s.Status.LoadBalancer.Ingress {
		if in.IP != "" {
			all = append(all, validation.GetWarningsForIP(field.NewPath("status", "loadBalancer", "ingress").Index(i), in.IP)...)
		}
	}
	return all
}
