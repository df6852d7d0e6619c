// Package networking says what the objects of networking.k8s.io mean: defaults and validation, as pure functions.
package networking

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	"github.com/coracle-k8s/coracle/apis/rule"
)

var spec = field.NewPath("spec")

// DefaultNetworkPolicy makes ports TCP, and finds out the directions that are restricted.
// https://kubernetes.io/docs/concepts/services-networking/network-policies/
func DefaultNetworkPolicy(p *networkingv1.NetworkPolicy) {
	ports := func(ports []networkingv1.NetworkPolicyPort) {
		for i := range ports {
			if ports[i].Protocol == nil {
				ports[i].Protocol = new(corev1.ProtocolTCP)
			}
		}
	}
	for i := range p.Spec.Ingress {
		ports(p.Spec.Ingress[i].Ports)
	}
	for i := range p.Spec.Egress {
		ports(p.Spec.Egress[i].Ports)
	}
	if len(p.Spec.PolicyTypes) == 0 {
		p.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		if len(p.Spec.Egress) > 0 {
			p.Spec.PolicyTypes = append(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
		}
	}
}

// ValidateNetworkPolicy checks a new policy.
func ValidateNetworkPolicy(p *networkingv1.NetworkPolicy) field.ErrorList {
	return validatePolicy(&p.Spec, nil)
}

// ValidateNetworkPolicyUpdate accepts CIDRs that were there before even if they are of a form no longer allowed.
func ValidateNetworkPolicyUpdate(p, old *networkingv1.NetworkPolicy) field.ErrorList {
	var before []string
	eachPeer(&old.Spec, func(peer *networkingv1.NetworkPolicyPeer, _ *field.Path) {
		if b := peer.IPBlock; b != nil {
			before = append(append(before, b.CIDR), b.Except...)
		}
	})
	return validatePolicy(&p.Spec, before)
}

// NetworkPolicyWarnings are about CIDRs in unusual forms.
func NetworkPolicyWarnings(p *networkingv1.NetworkPolicy) (all []string) {
	eachPeer(&p.Spec, func(peer *networkingv1.NetworkPolicyPeer, at *field.Path) {
		if b := peer.IPBlock; b != nil {
			at := at.Child("ipBlock")
			all = append(all, validation.GetWarningsForCIDR(at.Child("cidr"), b.CIDR)...)
			for i, except := range b.Except {
				all = append(all, validation.GetWarningsForCIDR(at.Child("except").Index(i), except)...)
			}
		}
	})
	return all
}

func eachPeer(s *networkingv1.NetworkPolicySpec, f func(*networkingv1.NetworkPolicyPeer, *field.Path)) {
	for i := range s.Ingress {
		for j := range s.Ingress[i].From {
			f(&s.Ingress[i].From[j], spec.Child("ingress").Index(i).Child("from").Index(j))
		}
	}
	for i := range s.Egress {
		for j := range s.Egress[i].To {
			f(&s.Egress[i].To[j], spec.Child("egress").Index(i).Child("to").Index(j))
		}
	}
}

func validatePolicy(s *networkingv1.NetworkPolicySpec, before []string) field.ErrorList {
	errs := rule.Selector(&s.PodSelector, spec.Child("podSelector"))
	for i := range s.Ingress {
		errs = append(errs, validatePolicyPorts(s.Ingress[i].Ports, spec.Child("ingress").Index(i).Child("ports"))...)
	}
	for i := range s.Egress {
		errs = append(errs, validatePolicyPorts(s.Egress[i].Ports, spec.Child("egress").Index(i).Child("ports"))...)
	}
	eachPeer(s, func(peer *networkingv1.NetworkPolicyPeer, at *field.Path) {
		errs = append(errs, validatePeer(peer, before, at)...)
	})
	types := spec.Child("policyTypes")
	if len(s.PolicyTypes) > 2 {
		return append(errs, field.Invalid(types, &s.PolicyTypes, "may not specify more than two policyTypes"))
	}
	for i, t := range s.PolicyTypes {
		errs = append(errs, rule.OneOf(t, types.Index(i), networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress)...)
	}
	return errs
}

func validatePolicyPorts(ports []networkingv1.NetworkPolicyPort, at *field.Path) (errs field.ErrorList) {
	for i := range ports {
		errs = append(errs, validatePolicyPort(&ports[i], at.Index(i))...)
	}
	return errs
}

func validatePolicyPort(p *networkingv1.NetworkPolicyPort, at *field.Path) (errs field.ErrorList) {
	if p.Protocol != nil {
		errs = rule.OneOf(*p.Protocol, at.Child("protocol"), corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP)
	}
	port, end := at.Child("port"), at.Child("endPort")
	switch {
	case p.Port == nil:
		if p.EndPort != nil {
			errs = append(errs, field.Invalid(end, *p.EndPort, "may not be specified when `port` is not specified"))
		}
	case p.Port.Type != intstr.Int:
		if p.EndPort != nil {
			errs = append(errs, field.Invalid(end, *p.EndPort, "may not be specified when `port` is non-numeric"))
		}
		errs = append(errs, rule.Invalid(port, p.Port.StrVal, validation.IsValidPortName(p.Port.StrVal))...)
	default:
		errs = append(errs, rule.Invalid(port, p.Port.IntVal, validation.IsValidPortNum(int(p.Port.IntVal)))...)
		if p.EndPort == nil {
			break
		}
		if *p.EndPort < p.Port.IntVal {
			errs = append(errs, field.Invalid(end, p.Port.IntVal, "must be greater than or equal to `port`"))
		}
		errs = append(errs, rule.Invalid(end, *p.EndPort, validation.IsValidPortNum(int(*p.EndPort)))...)
	}
	return errs
}

func validatePeer(p *networkingv1.NetworkPolicyPeer, before []string, at *field.Path) field.ErrorList {
	errs := slices.Concat(
		rule.Selector(p.PodSelector, at.Child("podSelector")),
		rule.Selector(p.NamespaceSelector, at.Child("namespaceSelector")),
	)
	selects := p.PodSelector != nil || p.NamespaceSelector != nil
	if p.IPBlock != nil {
		errs = append(errs, validateIPBlock(p.IPBlock, before, at.Child("ipBlock"))...)
	}
	switch {
	case p.IPBlock == nil && !selects:
		errs = append(errs, field.Required(at, "must specify a peer"))
	case p.IPBlock != nil && selects:
		errs = append(errs, field.Forbidden(at, "may not specify both ipBlock and another peer"))
	}
	return errs
}

func validateIPBlock(b *networkingv1.IPBlock, before []string, at *field.Path) field.ErrorList {
	if b.CIDR == "" {
		return field.ErrorList{field.Required(at.Child("cidr"), "")}
	}
	errs := validation.IsValidCIDRForLegacyField(at.Child("cidr"), b.CIDR, true, before)
	_, block, err := netutils.ParseCIDRSloppy(b.CIDR)
	if err != nil {
		return errs
	}
	whole, _ := block.Mask.Size()
	for i, text := range b.Except {
		at := at.Child("except").Index(i)
		errs = append(errs, validation.IsValidCIDRForLegacyField(at, text, true, before)...)
		_, except, err := netutils.ParseCIDRSloppy(text)
		if err != nil {
			continue
		}
		if part, _ := except.Mask.Size(); !block.Contains(except.IP) || whole >= part {
			errs = append(errs, field.Invalid(at, text, "must be a strict subset of `cidr`"))
		}
	}
	return errs
}
