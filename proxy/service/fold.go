package service

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/apis/core"
)

// serviceProxyName marks Services that another proxy than the default one serves.
const serviceProxyName = "service.kubernetes.io/service-proxy-name"

// place is the node that a picture is for.
type place struct{ node, zone string }

// fold makes a Service and its slices into what a node needs to know.
func fold(object *corev1.Service, slicesOf []*discoveryv1.EndpointSlice, here place) *Service {
	s := &Service{
		NamespacedName: types.NamespacedName{Namespace: object.Namespace, Name: object.Name},
		Type:           object.Spec.Type,
		ExternalName:   object.Spec.ExternalName,
		Headless:       core.IsHeadless(object),
		Foreign:        object.Labels[serviceProxyName] != "",
		InternalLocal:  core.InternalLocal(object),
		ExternalLocal:  core.ExternalLocal(object),
		External:       core.ExternallyAccessible(object),
	}
	s.addresses(object)
	if core.NeedsHealthCheckNodePort(object) {
		s.HealthCheckNodePort = object.Spec.HealthCheckNodePort
	}
	if object.Spec.SessionAffinity == corev1.ServiceAffinityClientIP {
		s.AffinitySeconds = corev1.DefaultClientIPServiceAffinitySeconds
		if c := object.Spec.SessionAffinityConfig; c != nil && c.ClientIP != nil && c.ClientIP.TimeoutSeconds != nil {
			s.AffinitySeconds = *c.ClientIP.TimeoutSeconds
		}
	}
	s.Endpoints = endpointsOf(slicesOf)
	for _, port := range object.Spec.Ports {
		p := Port{Name: port.Name, Protocol: port.Protocol, Port: uint16(port.Port)}
		if core.HasNodePorts(object) {
			p.NodePort = uint16(port.NodePort)
		}
		if p.Protocol == "" {
			p.Protocol = corev1.ProtocolTCP
		}
		p.choose(s, here)
		s.Ports = append(s.Ports, p)
	}
	return s
}

func (s *Service) addresses(object *corev1.Service) {
	if core.HasClusterIP(object) {
		s.ClusterIPs = parseAll(object.Spec.ClusterIPs)
		if len(s.ClusterIPs) == 0 {
			s.ClusterIPs = parseAll([]string{object.Spec.ClusterIP})
		}
	}
	s.ExternalIPs = parseAll(object.Spec.ExternalIPs)
	if object.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return
	}
	for _, ingress := range object.Status.LoadBalancer.Ingress {
		// In proxy mode packets do not carry this address when they arrive.
		if ingress.IPMode == nil || *ingress.IPMode == corev1.LoadBalancerIPModeVIP {
			s.LoadBalancerIPs = append(s.LoadBalancerIPs, parseAll([]string{ingress.IP})...)
		}
	}
	for _, cidr := range object.Spec.LoadBalancerSourceRanges {
		if prefix, err := netip.ParsePrefix(strings.TrimSpace(cidr)); err == nil {
			s.SourceRanges = append(s.SourceRanges, prefix.Masked())
		}
	}
}

func parseAll(texts []string) []netip.Addr {
	var addresses []netip.Addr
	for _, text := range texts {
		if address, err := netip.ParseAddr(text); err == nil {
			addresses = append(addresses, address)
		}
	}
	return addresses
}

// endpointsOf joins slices. While one is being made from another an endpoint
// may be in both: the same address with the same ports counts once.
func endpointsOf(all []*discoveryv1.EndpointSlice) []Endpoint {
	var endpoints []Endpoint
	seen := map[netip.Addr][]int{}
	for _, slice := range all {
		if slice.AddressType == discoveryv1.AddressTypeFQDN {
			continue
		}
		ports := portsOf(slice)
		for i := range slice.Endpoints {
			for _, address := range parseAll(slice.Endpoints[i].Addresses) {
				endpoint := endpointOf(&slice.Endpoints[i], address, ports)
				same := slices.IndexFunc(seen[address], func(i int) bool { return slices.Equal(endpoints[i].Ports, ports) })
				if same >= 0 {
					if known := &endpoints[seen[address][same]]; !known.Ready && endpoint.Ready {
						*known = endpoint
					}
					continue
				}
				seen[address] = append(seen[address], len(endpoints))
				endpoints = append(endpoints, endpoint)
			}
		}
	}
	slices.SortStableFunc(endpoints, func(a, b Endpoint) int { return a.Address.Compare(b.Address) })
	return endpoints
}

func portsOf(slice *discoveryv1.EndpointSlice) []EndpointPort {
	ports := make([]EndpointPort, 0, len(slice.Ports))
	for _, port := range slice.Ports {
		p := EndpointPort{Protocol: corev1.ProtocolTCP}
		if port.Name != nil {
			p.Name = *port.Name
		}
		if port.Protocol != nil {
			p.Protocol = *port.Protocol
		}
		if port.Port != nil {
			p.Number = uint16(*port.Port)
		}
		ports = append(ports, p)
	}
	return ports
}

func endpointOf(object *discoveryv1.Endpoint, address netip.Addr, ports []EndpointPort) Endpoint {
	e := Endpoint{Address: address, Ports: ports}
	c := object.Conditions
	e.Ready = c.Ready == nil || *c.Ready
	e.Serving = c.Serving == nil && e.Ready || c.Serving != nil && *c.Serving
	e.Terminating = c.Terminating != nil && *c.Terminating
	if object.Hostname != nil {
		e.Hostname = *object.Hostname
	}
	if object.NodeName != nil {
		e.Node = *object.NodeName
	}
	if object.Hints != nil {
		for _, zone := range object.Hints.ForZones {
			e.ForZones = append(e.ForZones, zone.Name)
		}
		for _, node := range object.Hints.ForNodes {
			e.ForNodes = append(e.ForNodes, node.Name)
		}
	}
	return e
}
