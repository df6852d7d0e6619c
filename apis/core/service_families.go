package core

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ChooseFamilies fills in ipFamilyPolicy and ipFamilies of a service that is created (old is nil) or updated, from what the
// client says and the IP families that the cluster has, the first of them its default. It reports what cannot be had.
// https://kubernetes.io/docs/concepts/services-networking/dual-stack/
func ChooseFamilies(s, old *corev1.Service, cluster []corev1.IPFamily) field.ErrorList {
	if !needsClusterIP(s) || keepsDualStack(s, old) {
		return nil
	}
	if s.Spec.IPFamilyPolicy == nil {
		s.Spec.IPFamilyPolicy = defaultFamilyPolicy(s, old)
	}
	if errs := validateClusterIPs(s, old); len(errs) > 0 {
		return errs
	}
	errs := fitFamilyPolicy(s, old)
	errs = append(errs, inferFamilies(s, cluster)...)
	if len(errs) > 0 {
		return errs
	}
	single := *s.Spec.IPFamilyPolicy == corev1.IPFamilyPolicySingleStack
	anywhere := s.Spec.ClusterIP == corev1.ClusterIPNone && len(s.Spec.Selector) == 0 // whoever writes its endpoints knows
	if !anywhere {
		if errs := familiesAreHad(s, cluster); len(errs) > 0 {
			return errs
		}
	}
	if len(s.Spec.IPFamilies) == 0 {
		s.Spec.IPFamilies = []corev1.IPFamily{cluster[0]}
	}
	if !single && len(s.Spec.IPFamilies) == 1 && (anywhere || len(cluster) == 2) {
		s.Spec.IPFamilies = append(s.Spec.IPFamilies, OtherFamily(s.Spec.IPFamilies[0]))
	}
	return nil
}

// keepsDualStack reports whether nothing changes for a service that prefers two stacks: it keeps what it has, even if the
// cluster has more or less than when it was created.
func keepsDualStack(s, old *corev1.Service) bool {
	prefers := func(p *corev1.IPFamilyPolicy) bool { return *p == corev1.IPFamilyPolicyPreferDualStack }
	return old != nil && s.Spec.IPFamilyPolicy != nil && old.Spec.Type == s.Spec.Type && needsClusterIP(s) &&
		prefers(s.Spec.IPFamilyPolicy) && (old.Spec.IPFamilyPolicy == nil || prefers(old.Spec.IPFamilyPolicy)) &&
		slices.Equal(s.Spec.ClusterIPs, old.Spec.ClusterIPs) && slices.Equal(s.Spec.IPFamilies, old.Spec.IPFamilies)
}

func defaultFamilyPolicy(s, old *corev1.Service) *corev1.IPFamilyPolicy {
	switch {
	case old != nil && old.Spec.IPFamilyPolicy != nil:
		return old.Spec.IPFamilyPolicy
	case s.Spec.ClusterIP == corev1.ClusterIPNone && len(s.Spec.Selector) == 0:
		return new(corev1.IPFamilyPolicyRequireDualStack)
	}
	return new(corev1.IPFamilyPolicySingleStack)
}

// fitFamilyPolicy drops the second family where the policy says single, and refuses what contradicts the policy.
func fitFamilyPolicy(s, old *corev1.Service) (errs field.ErrorList) {
	policy, single := s.Spec.IPFamilyPolicy, *s.Spec.IPFamilyPolicy == corev1.IPFamilyPolicySingleStack
	contradicts := func(message string) {
		errs = append(errs, field.Invalid(field.NewPath("spec", "ipFamilyPolicy"), policy, message))
	}
	ips, families := s.Spec.ClusterIPs, s.Spec.IPFamilies
	if old != nil && single {
		if slices.Equal(ips, old.Spec.ClusterIPs) && len(ips) > 1 {
			s.Spec.ClusterIPs = ips[:1]
		}
		if slices.Equal(families, old.Spec.IPFamilies) && len(families) > 1 {
			s.Spec.IPFamilies = families[:1]
		}
	} else if old != nil {
		if len(ips) > 0 && len(ips) < len(old.Spec.ClusterIPs) {
			contradicts("must be 'SingleStack' to release the secondary cluster IP")
		}
		if len(families) > 0 && len(families) < len(old.Spec.IPFamilies) {
			contradicts("must be 'SingleStack' to release the secondary IP family")
		}
	}
	if single && len(s.Spec.ClusterIPs) == 2 {
		contradicts("must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified")
	}
	if single && len(s.Spec.IPFamilies) == 2 {
		contradicts("must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified")
	}
	return errs
}

// inferFamilies adds the families of addresses that the client asks for.
func inferFamilies(s *corev1.Service, cluster []corev1.IPFamily) (errs field.ErrorList) {
	for i, ip := range s.Spec.ClusterIPs {
		if ip == corev1.ClusterIPNone {
			break
		}
		if i < len(s.Spec.IPFamilies) {
			continue
		}
		family := FamilyOf(ip)
		if !slices.Contains(cluster, family) {
			errs = append(errs, field.Invalid(field.NewPath("spec", "clusterIPs").Index(i), s.Spec.ClusterIPs, fmt.Sprintf("%s is not configured on this cluster", family)))
			continue
		}
		s.Spec.IPFamilies = append(s.Spec.IPFamilies, family)
	}
	return errs
}

func familiesAreHad(s *corev1.Service, cluster []corev1.IPFamily) (errs field.ErrorList) {
	if *s.Spec.IPFamilyPolicy == corev1.IPFamilyPolicyRequireDualStack && len(cluster) < 2 {
		errs = append(errs, field.Invalid(field.NewPath("spec", "ipFamilyPolicy"), s.Spec.IPFamilyPolicy, "this cluster is not configured for dual-stack services"))
	}
	for i, family := range s.Spec.IPFamilies {
		if !slices.Contains(cluster, family) {
			errs = append(errs, field.Invalid(field.NewPath("spec", "ipFamilies").Index(i), family, "not configured on this cluster"))
		}
	}
	return errs
}
