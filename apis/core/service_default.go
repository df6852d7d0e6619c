package core

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/net"
)

// DefaultService fills in what a service means where it says nothing. Safe to repeat.
func DefaultService(s *corev1.Service) {
	spec := &s.Spec
	setDefault(&spec.SessionAffinity, corev1.ServiceAffinityNone)
	defaultAffinity(spec)
	setDefault(&spec.Type, corev1.ServiceTypeClusterIP)
	for i := range spec.Ports {
		p := &spec.Ports[i]
		setDefault(&p.Protocol, corev1.ProtocolTCP)
		if p.TargetPort == intstr.FromInt32(0) || p.TargetPort == intstr.FromString("") {
			p.TargetPort = intstr.FromInt32(p.Port)
		}
	}
	if ExternallyAccessible(s) {
		setDefault(&spec.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyCluster)
	}
	switch spec.Type {
	case corev1.ServiceTypeLoadBalancer:
		setDefaultPtr(&spec.AllocateLoadBalancerNodePorts, true)
		for i := range s.Status.LoadBalancer.Ingress {
			if in := &s.Status.LoadBalancer.Ingress[i]; in.IP != "" {
				setDefaultPtr(&in.IPMode, corev1.LoadBalancerIPModeVIP)
			}
		}
		fallthrough
	case corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort:
		setDefaultPtr(&spec.InternalTrafficPolicy, corev1.ServiceInternalTrafficPolicyCluster)
	}
}

func defaultAffinity(spec *corev1.ServiceSpec) {
	switch c := spec.SessionAffinityConfig; spec.SessionAffinity {
	case corev1.ServiceAffinityNone:
		spec.SessionAffinityConfig = nil
	case corev1.ServiceAffinityClientIP:
		if c == nil || c.ClientIP == nil || c.ClientIP.TimeoutSeconds == nil {
			spec.SessionAffinityConfig = &corev1.SessionAffinityConfig{ClientIP: &corev1.ClientIPConfig{
				TimeoutSeconds: new(int32(corev1.DefaultClientIPServiceAffinitySeconds)),
			}}
		}
	}
}

// CompleteService gives services that were written before a field existed the value that it stands for, as readers see
// it. Primary is the cluster's first IP family. It assigns fields only, and may be used on objects that share their slices.
func CompleteService(s *corev1.Service, primary corev1.IPFamily) {
	if s.Spec.ClusterIP != "" && len(s.Spec.ClusterIPs) == 0 {
		s.Spec.ClusterIPs = []string{s.Spec.ClusterIP}
	}
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		s.Spec.InternalTrafficPolicy = nil
		return
	}
	if len(s.Spec.IPFamilies) > 0 {
		return
	}
	policy := corev1.IPFamilyPolicySingleStack
	switch {
	case s.Spec.ClusterIP == corev1.ClusterIPNone && len(s.Spec.Selector) == 0:
		policy, s.Spec.IPFamilies = corev1.IPFamilyPolicyRequireDualStack, []corev1.IPFamily{primary, OtherFamily(primary)}
	case s.Spec.ClusterIP == corev1.ClusterIPNone:
		s.Spec.IPFamilies = []corev1.IPFamily{primary}
	default:
		families := make([]corev1.IPFamily, len(s.Spec.ClusterIPs))
		for i, ip := range s.Spec.ClusterIPs {
			families[i] = FamilyOf(ip)
		}
		if s.Spec.IPFamilies = families; len(families) == 0 {
			return
		}
		if len(families) == 2 {
			policy = corev1.IPFamilyPolicyRequireDualStack
		}
	}
	s.Spec.IPFamilyPolicy = &policy
}

// FamilyOf is the family of a valid IP address.
func FamilyOf(ip string) corev1.IPFamily {
	if net.IsIPv6String(ip) {
		return corev1.IPv6Protocol
	}
	return corev1.IPv4Protocol
}

// OtherFamily is the one that family is not.
func OtherFamily(family corev1.IPFamily) corev1.IPFamily {
	if family == corev1.IPv4Protocol {
		return corev1.IPv6Protocol
	}
	return corev1.IPv4Protocol
}

// SyncClusterIPs lets clients set clusterIP or clusterIPs and adapts the other. Old is nil on create.
func SyncClusterIPs(s, old *corev1.Service) {
	one, all := s.Spec.ClusterIP, s.Spec.ClusterIPs
	if old == nil {
		if one != "" && len(all) == 0 {
			s.Spec.ClusterIPs = []string{one}
		}
		return
	}
	wasOne, wasAll := old.Spec.ClusterIP, old.Spec.ClusterIPs
	if one == wasOne {
		if len(wasAll) > 0 && len(all) == 0 { // an older client, which does not know of clusterIPs
			s.Spec.ClusterIPs = wasAll
		}
		return
	}
	if slices.Equal(all, wasAll) { // only the older field was changed, perhaps cleared
		if s.Spec.ClusterIPs = nil; one != "" {
			s.Spec.ClusterIPs = []string{one}
		}
	}
}

// KeepAllocated puts into an update the addresses and ports that the client left out and the service has already: it may
// send what it once created again.
func KeepAllocated(s, old *corev1.Service) {
	if needsClusterIP(s) && needsClusterIP(old) {
		setDefault(&s.Spec.ClusterIP, old.Spec.ClusterIP)
		if len(s.Spec.ClusterIPs) == 0 {
			s.Spec.ClusterIPs = old.Spec.ClusterIPs
		}
	}
	if HasNodePorts(s) && HasNodePorts(old) {
		keepNodePorts(s.Spec.Ports, old.Spec.Ports)
	}
	if NeedsHealthCheckNodePort(s) && NeedsHealthCheckNodePort(old) {
		setDefault(&s.Spec.HealthCheckNodePort, old.Spec.HealthCheckNodePort)
	}
}

// keepNodePorts finds the node ports of ports by name. A node port that the client uses elsewhere is taken.
func keepNodePorts(ports, old []corev1.ServicePort) {
	taken, was := map[int32]bool{}, map[string]int32{}
	for _, p := range ports {
		taken[p.NodePort] = p.NodePort != 0 && slices.ContainsFunc(old, func(o corev1.ServicePort) bool { return o.NodePort == p.NodePort })
	}
	for _, p := range old {
		was[p.Name] = p.NodePort
	}
	for i := range ports {
		if p := &ports[i]; p.NodePort == 0 && !taken[was[p.Name]] {
			p.NodePort = was[p.Name]
		}
	}
}

func needsClusterIP(s *corev1.Service) bool { return s.Spec.Type != corev1.ServiceTypeExternalName }

// ClearUnused clears what a service of the former type had and one of the new type may not have, unless the client changed
// it: then validation refuses it.
func ClearUnused(s, old *corev1.Service) {
	now, was := &s.Spec, &old.Spec
	if needsClusterIP(old) && !needsClusterIP(s) {
		if now.ClusterIP == was.ClusterIP && slices.Equal(now.ClusterIPs, was.ClusterIPs) {
			now.ClusterIP, now.ClusterIPs = "", nil
		}
		if slices.Equal(now.IPFamilies, was.IPFamilies) {
			now.IPFamilies = nil
		}
		if samePtr(now.IPFamilyPolicy, was.IPFamilyPolicy) {
			now.IPFamilyPolicy = nil
		}
	}
	if opensNodePorts(old) && !opensNodePorts(s) && !addsNodePorts(s, old) {
		for i := range now.Ports {
			now.Ports[i].NodePort = 0
		}
	}
	if NeedsHealthCheckNodePort(old) && !NeedsHealthCheckNodePort(s) && now.HealthCheckNodePort == was.HealthCheckNodePort {
		now.HealthCheckNodePort = 0
	}
	if was.Type == corev1.ServiceTypeLoadBalancer && now.Type != corev1.ServiceTypeLoadBalancer {
		if samePtr(now.AllocateLoadBalancerNodePorts, was.AllocateLoadBalancerNodePorts) {
			now.AllocateLoadBalancerNodePorts = nil
		}
		if samePtr(now.LoadBalancerClass, was.LoadBalancerClass) {
			now.LoadBalancerClass = nil
		}
	}
	if ExternallyAccessible(old) && !ExternallyAccessible(s) && now.ExternalTrafficPolicy == was.ExternalTrafficPolicy {
		now.ExternalTrafficPolicy = ""
	}
	if now.Type != corev1.ServiceTypeLoadBalancer {
		s.Status.LoadBalancer = corev1.LoadBalancerStatus{}
	}
}

func opensNodePorts(s *corev1.Service) bool {
	return s.Spec.Type == corev1.ServiceTypeNodePort || s.Spec.Type == corev1.ServiceTypeLoadBalancer
}

// addsNodePorts reports whether s has a node port that old has not.
func addsNodePorts(s, old *corev1.Service) bool {
	was := NodePorts(old)
	return slices.ContainsFunc(NodePorts(s), func(p int32) bool { return !slices.Contains(was, p) })
}

// NodePorts are the node ports of the service's ports, in their order; without that for health checks.
func NodePorts(s *corev1.Service) (all []int32) {
	for _, p := range s.Spec.Ports {
		if p.NodePort != 0 {
			all = append(all, p.NodePort)
		}
	}
	return all
}

func samePtr[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}
