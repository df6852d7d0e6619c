package core

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/net"
)

// ValidateService checks a service that is created (old is nil) or updated, after it has got its addresses.
func ValidateService(s, old *corev1.Service) field.ErrorList {
	var p problems
	at := field.NewPath("spec")
	p.topologyAnnotations(s)
	p.serviceType(at, s)
	p.servicePorts(at.Child("ports"), s)
	if s.Spec.Selector != nil {
		p.join(metav1validation.ValidateLabels(s.Spec.Selector, at.Child("selector")))
	}
	p.sessionAffinity(at, &s.Spec)
	p.join(validateClusterIPs(s, old))
	var before []string
	if old != nil {
		before = old.Spec.ExternalIPs
	}
	for i, ip := range s.Spec.ExternalIPs {
		at, n := at.Child("externalIPs").Index(i), len(p.list)
		if p.ip(at, ip, before); len(p.list) == n {
			p.endpointIP(at, ip)
		}
	}
	requiredOneOf(&p, at.Child("type"), s.Spec.Type, corev1.ServiceTypeClusterIP, corev1.ServiceTypeExternalName, corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeNodePort)
	p.nodePortsOnce(at.Child("ports"), s)
	p.sourceRanges(at, s, old)
	balanced := s.Spec.Type == corev1.ServiceTypeLoadBalancer
	switch set := s.Spec.AllocateLoadBalancerNodePorts != nil; {
	case set && !balanced:
		p.forbidden(at.Child("allocateLoadBalancerNodePorts"), onlyBalanced)
	case !set && balanced:
		p.required(field.NewPath("allocateLoadBalancerNodePorts"), "")
	}
	if class := s.Spec.LoadBalancerClass; class != nil && balanced {
		p.qualifiedName(at.Child("loadBalancerClass"), *class)
	} else if class != nil {
		p.forbidden(at.Child("loadBalancerClass"), onlyBalanced)
	}
	p.trafficPolicies(at, s)
	return p.list
}

const onlyBalanced = "may only be used when `type` is 'LoadBalancer'"

func isHeadless(s *corev1.Service) bool {
	return len(s.Spec.ClusterIPs) == 1 && s.Spec.ClusterIPs[0] == corev1.ClusterIPNone
}

func (p *problems) topologyAnnotations(s *corev1.Service) {
	const hints = corev1.DeprecatedAnnotationTopologyAwareHints
	was, haveWas := s.Annotations[hints]
	is, haveIs := s.Annotations[corev1.AnnotationTopologyMode]
	if haveWas && haveIs && was != is {
		p.invalid(field.NewPath("metadata", "annotations").Key(corev1.AnnotationTopologyMode), is, fmt.Sprintf("must match annotations[%s] when both are specified", hints))
	}
}

func (p *problems) serviceType(at *field.Path, s *corev1.Service) {
	if len(s.Spec.Ports) == 0 && !isHeadless(s) && needsClusterIP(s) {
		p.required(at.Child("ports"), "")
	}
	switch s.Spec.Type {
	case corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeNodePort:
		if isHeadless(s) {
			p.invalid(at.Child("clusterIPs").Index(0), s.Spec.ClusterIPs[0], fmt.Sprintf("may not be set to 'None' for %s services", s.Spec.Type))
		}
	case corev1.ServiceTypeExternalName:
		const not = "may not be set for ExternalName services"
		if len(s.Spec.ClusterIPs) > 0 {
			p.forbidden(at.Child("clusterIPs"), not)
		}
		if len(s.Spec.IPFamilies) > 0 {
			p.forbidden(at.Child("ipFamilies"), not)
		}
		if s.Spec.IPFamilyPolicy != nil {
			p.forbidden(at.Child("ipFamilyPolicy"), not)
		}
		if name := strings.TrimSuffix(s.Spec.ExternalName, "."); p.need(at.Child("externalName"), name) {
			p.subdomain(at.Child("externalName"), name)
		}
	}
}

func (p *problems) servicePorts(at *field.Path, s *corev1.Service) {
	names := map[string]bool{}
	for i := range s.Spec.Ports {
		port, at := &s.Spec.Ports[i], at.Index(i)
		if port.Name == "" && len(s.Spec.Ports) > 1 {
			p.required(at.Child("name"), "")
		} else if port.Name != "" {
			p.label(at.Child("name"), port.Name)
			if names[port.Name] {
				p.duplicate(at.Child("name"), port.Name)
			}
			names[port.Name] = true
		}
		p.portNumber(at.Child("port"), port.Port)
		p.protocol(at.Child("protocol"), port.Protocol)
		p.port(at.Child("targetPort"), port.TargetPort)
		if port.AppProtocol != nil {
			p.qualifiedName(at.Child("appProtocol"), *port.AppProtocol)
		}
	}
}

// shownPort is a port as errors have always shown it: with the names of Go's fields.
type shownPort struct {
	Name        string
	Protocol    corev1.Protocol
	AppProtocol *string
	Port        int32
	TargetPort  intstr.IntOrString
	NodePort    int32
}

// nodePortsOnce refuses node ports where there are none, and the same port twice for one protocol.
func (p *problems) nodePortsOnce(at *field.Path, s *corev1.Service) {
	type key struct {
		protocol corev1.Protocol
		port     int32
	}
	nodePorts, ports := map[key]bool{}, map[key]bool{}
	for i, port := range s.Spec.Ports {
		if s.Spec.Type == corev1.ServiceTypeClusterIP && port.NodePort != 0 {
			p.forbidden(at.Index(i).Child("nodePort"), "may not be used when `type` is 'ClusterIP'")
		}
	}
	for i, port := range s.Spec.Ports {
		k := key{port.Protocol, port.NodePort}
		if port.NodePort != 0 && nodePorts[k] {
			p.duplicate(at.Index(i).Child("nodePort"), port.NodePort)
		}
		nodePorts[k] = true
	}
	for i, port := range s.Spec.Ports {
		k := key{port.Protocol, port.Port}
		if ports[k] {
			p.duplicate(at.Index(i), shownPort{Protocol: port.Protocol, Port: port.Port})
		}
		ports[k] = true
	}
}

func (p *problems) sessionAffinity(at *field.Path, s *corev1.ServiceSpec) {
	const byClient = corev1.ServiceAffinityClientIP
	requiredOneOf(p, at.Child("sessionAffinity"), s.SessionAffinity, byClient, corev1.ServiceAffinityNone)
	at = at.Child("sessionAffinityConfig")
	c := s.SessionAffinityConfig
	switch why := fmt.Sprintf("when session affinity type is %s", byClient); {
	case s.SessionAffinity == corev1.ServiceAffinityNone && c != nil:
		p.forbidden(at, fmt.Sprintf("must not be set when session affinity is %s", corev1.ServiceAffinityNone))
	case s.SessionAffinity != byClient:
	case c == nil:
		p.required(at, why)
	case c.ClientIP == nil:
		p.required(at.Child("clientIP"), why)
	case c.ClientIP.TimeoutSeconds == nil:
		p.required(at.Child("clientIP", "timeoutSeconds"), why)
	default:
		const most = 86400
		if t := *c.ClientIP.TimeoutSeconds; t <= 0 || t > most {
			p.invalid(at.Child("clientIP", "timeoutSeconds"), t, fmt.Sprintf("must be greater than 0 and less than %d", most))
		}
	}
}

// sourceRanges checks who may use the load balancer. The field's name is spelt as clients have learnt it.
func (p *problems) sourceRanges(at *field.Path, s, old *corev1.Service) {
	balanced := s.Spec.Type == corev1.ServiceTypeLoadBalancer
	if all := s.Spec.LoadBalancerSourceRanges; len(all) > 0 {
		at := at.Child("LoadBalancerSourceRanges")
		if !balanced {
			p.forbidden(at, onlyBalanced)
		}
		var before []string
		if old != nil {
			for _, cidr := range old.Spec.LoadBalancerSourceRanges {
				before = append(before, strings.TrimSpace(cidr))
			}
		}
		for i, cidr := range all {
			p.cidr(at.Index(i), strings.TrimSpace(cidr), before)
		}
		return
	}
	text, ok := s.Annotations[corev1.AnnotationLoadBalancerSourceRangesKey]
	if !ok {
		return
	}
	at = field.NewPath("metadata", "annotations").Key(corev1.AnnotationLoadBalancerSourceRangesKey)
	if !balanced {
		p.forbidden(at, onlyBalanced)
	}
	if text = strings.TrimSpace(text); text == "" || old != nil && strings.TrimSpace(old.Annotations[corev1.AnnotationLoadBalancerSourceRangesKey]) == text {
		return
	}
	for _, cidr := range strings.Split(text, ",") {
		p.cidr(at, strings.TrimSpace(cidr), nil)
	}
}

func (p *problems) trafficPolicies(at *field.Path, s *corev1.Service) {
	switch at, policy := at.Child("externalTrafficPolicy"), s.Spec.ExternalTrafficPolicy; {
	case ExternallyAccessible(s):
		requiredOneOf(p, at, policy, corev1.ServiceExternalTrafficPolicyCluster, corev1.ServiceExternalTrafficPolicyLocal)
	case policy != "":
		p.invalid(at, policy, "may only be set for externally-accessible services")
	}
	switch at, port := at.Child("healthCheckNodePort"), s.Spec.HealthCheckNodePort; {
	case !NeedsHealthCheckNodePort(s):
		if port != 0 {
			p.invalid(at, port, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'")
		}
	case port == 0:
		p.required(at, "")
	default:
		p.portNumber(at, port)
	}
	switch at, policy := at.Child("internalTrafficPolicy"), s.Spec.InternalTrafficPolicy; {
	case policy != nil:
		oneOf(p, at, *policy, corev1.ServiceInternalTrafficPolicyCluster, corev1.ServiceInternalTrafficPolicyLocal)
	case s.Spec.Type == corev1.ServiceTypeNodePort, s.Spec.Type == corev1.ServiceTypeLoadBalancer, s.Spec.Type == corev1.ServiceTypeClusterIP:
		p.required(at, "")
	}
	if d := s.Spec.TrafficDistribution; d != nil {
		oneOf(p, at.Child("trafficDistribution"), *d, corev1.ServiceTrafficDistributionPreferClose, corev1.ServiceTrafficDistributionPreferSameZone, corev1.ServiceTrafficDistributionPreferSameNode)
	}
}

// validateClusterIPs checks addresses, IP families and the policy for them, as far as it can be said without the cluster.
func validateClusterIPs(s, old *corev1.Service) field.ErrorList {
	if !needsClusterIP(s) {
		return nil
	}
	var p problems
	at, ips := field.NewPath("spec", "clusterIPs"), s.Spec.ClusterIPs
	switch one := s.Spec.ClusterIP; {
	case one != "" && len(ips) == 0:
		p.required(at, "")
	case one != "" && ips[0] != one:
		p.invalid(at, ips, "first value must match `clusterIP`")
	case one == "" && len(ips) > 0:
		p.invalid(at, ips, "must be empty when `clusterIP` is not specified")
	}
	p.families(s)
	var before []string
	if old != nil {
		before = old.Spec.ClusterIPs
	}
	bad := false
	for i, ip := range ips {
		n := len(p.list)
		if i > 0 || ip != corev1.ClusterIPNone {
			p.ip(at.Index(i), ip, before)
		} else if len(ips) > 1 {
			p.invalid(at, ips, "'None' must be the first and only value")
		}
		bad = bad || len(p.list) > n
	}
	if len(ips) > 2 {
		p.invalid(at, ips, "may only hold up to 2 values")
	}
	if bad {
		return p.list
	}
	if len(ips) > 1 {
		if dual, err := net.IsDualStackIPStrings(ips); err != nil || !dual {
			p.invalid(at, ips, "may specify no more than one IP for each IP family")
		}
	}
	if isHeadless(s) {
		return p.list
	}
	for i, ip := range ips {
		if i < len(s.Spec.IPFamilies) && slices.Contains(bothFamilies, s.Spec.IPFamilies[i]) && FamilyOf(ip) != s.Spec.IPFamilies[i] {
			p.invalid(at.Index(i), ip, fmt.Sprintf("expected an %s value as indicated by `ipFamilies[%v]`", s.Spec.IPFamilies[i], i))
		}
	}
	return p.list
}

var bothFamilies = []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}

func (p *problems) families(s *corev1.Service) {
	at := field.NewPath("spec")
	for i, family := range s.Spec.IPFamilies {
		at := at.Child("ipFamilies").Index(i)
		oneOf(p, at, family, bothFamilies...)
		if slices.Contains(s.Spec.IPFamilies[:i], family) {
			p.duplicate(at, family)
		}
	}
	if policy := s.Spec.IPFamilyPolicy; policy != nil {
		oneOf(p, at.Child("ipFamilyPolicy"), *policy, corev1.IPFamilyPolicyPreferDualStack, corev1.IPFamilyPolicyRequireDualStack, corev1.IPFamilyPolicySingleStack)
	}
}

// endpointIP refuses addresses that mean this machine, or many: traffic led there would be taken from others.
func (p *problems) endpointIP(at *field.Path, text string) {
	ip := net.ParseIPSloppy(text)
	if ip == nil {
		p.invalid(at, text, "must be a valid IP address")
		return
	}
	for _, not := range []struct {
		is  bool
		why string
	}{
		{ip.IsUnspecified(), fmt.Sprintf("may not be unspecified (%v)", text)},
		{ip.IsLoopback(), "may not be in the loopback range (127.0.0.0/8, ::1/128)"},
		{ip.IsLinkLocalUnicast(), "may not be in the link-local range (169.254.0.0/16, fe80::/10)"},
		{ip.IsLinkLocalMulticast(), "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"},
	} {
		if not.is {
			p.invalid(at, text, not.why)
		}
	}
}

// ServiceWarnings tells of what is deprecated or has no effect.
func ServiceWarnings(s *corev1.Service) (all []string) {
	at := field.NewPath("spec")
	if _, ok := s.Annotations[corev1.DeprecatedAnnotationTopologyAwareHints]; ok {
		all = append(all, fmt.Sprintf("annotation %s is deprecated, please use %s instead", corev1.DeprecatedAnnotationTopologyAwareHints, corev1.AnnotationTopologyMode))
	}
	if s.Spec.ClusterIP != "" && s.Spec.ClusterIP != corev1.ClusterIPNone {
		for i, ip := range s.Spec.ClusterIPs {
			all = append(all, validation.GetWarningsForIP(at.Child("clusterIPs").Index(i), ip)...)
		}
	}
	headless, external := IsHeadless(s), s.Spec.Type == corev1.ServiceTypeExternalName
	if headless {
		if s.Spec.LoadBalancerIP != "" {
			all = append(all, "spec.loadBalancerIP is ignored for headless services")
		}
		if len(s.Spec.ExternalIPs) > 0 {
			all = append(all, "spec.externalIPs is ignored for headless services")
		}
		if s.Spec.SessionAffinity != corev1.ServiceAffinityNone {
			all = append(all, "spec.SessionAffinity is ignored for headless services")
		}
	}
	for i, ip := range s.Spec.ExternalIPs {
		all = append(all, validation.GetWarningsForIP(at.Child("externalIPs").Index(i), ip)...)
	}
	if len(s.Spec.ExternalIPs) > 0 && !headless && !external {
		all = append(all, "spec.externalIPs is deprecated and may no longer be implemented in some clusters")
	}
	if s.Spec.LoadBalancerIP != "" {
		all = append(all, validation.GetWarningsForIP(at.Child("loadBalancerIP"), s.Spec.LoadBalancerIP)...)
	}
	for i, cidr := range s.Spec.LoadBalancerSourceRanges {
		all = append(all, validation.GetWarningsForCIDR(at.Child("loadBalancerSourceRanges").Index(i), cidr)...)
	}
	if external && len(s.Spec.ExternalIPs) > 0 {
		all = append(all, fmt.Sprintf("spec.externalIPs is ignored when spec.type is %q", corev1.ServiceTypeExternalName))
	}
	if !external && s.Spec.ExternalName != "" {
		all = append(all, fmt.Sprintf("spec.externalName is ignored when spec.type is not %q", corev1.ServiceTypeExternalName))
	}
	if d := s.Spec.TrafficDistribution; d != nil && *d == corev1.ServiceTrafficDistributionPreferClose {
		all = append(all, fmt.Sprintf("spec.trafficDistribution: %q is deprecated; use %q", corev1.ServiceTrafficDistributionPreferClose, corev1.ServiceTrafficDistributionPreferSameZone))
	}
	return all
}
