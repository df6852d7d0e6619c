// Package service folds Services, EndpointSlices, Nodes and the node's Pods
// into an immutable picture of where packets and names should lead.
package service

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Snapshot is the network as one node should see it. It is never changed
// once made, nor is anything that it points to.
type Snapshot struct {
	// Services are all Services by name, of every type.
	Services map[types.NamespacedName]*Service
	// HostPorts are the ports of the node that lead to one of its Pods.
	HostPorts []HostPort
	// Nodes are the addresses of all nodes, in order, each once.
	Nodes []netip.Addr
	// Zone is the topology zone of the node, empty when unknown.
	Zone string
}

// Service is a Service and what it leads to.
type Service struct {
	types.NamespacedName
	Type corev1.ServiceType
	// ExternalName is what the name of a Service of type ExternalName stands for.
	ExternalName string
	// ClusterIPs are its addresses, none for a headless one.
	ClusterIPs []netip.Addr
	Headless   bool
	// Foreign says that another proxy leads its packets. Its names are ours like others'.
	Foreign bool
	// ExternalIPs are further addresses, LoadBalancerIPs those of its load
	// balancer that packets arrive with.
	ExternalIPs, LoadBalancerIPs []netip.Addr
	// SourceRanges, unless empty, are who may use the LoadBalancerIPs.
	SourceRanges []netip.Prefix
	// AffinitySeconds is how long a client keeps its endpoint, 0 for not at all.
	AffinitySeconds int32
	// InternalLocal and ExternalLocal keep traffic from inside or outside
	// of the cluster on the node.
	InternalLocal, ExternalLocal bool
	// External says whether it can be reached from outside of the cluster.
	External bool
	// HealthCheckNodePort is where load balancers ask for local endpoints, 0 for none.
	HealthCheckNodePort int32
	Ports               []Port
	// Endpoints are all of them, ready or not, for names.
	Endpoints []Endpoint
}

// Port is a port of a Service and where packets to it may go from this node.
type Port struct {
	Name     string
	Protocol corev1.Protocol
	Port     uint16
	// NodePort is 0 for none.
	NodePort uint16
	// Cluster are the endpoints for traffic that may leave the node, Local
	// those for traffic that may not. The fallbacks are in: endpoints that
	// end but still serve, when there is no ready one.
	Cluster, Local []Target
	// HasEndpoints says whether any endpoint anywhere could take traffic.
	HasEndpoints bool
	// Serving are all targets that take traffic they already have.
	Serving []Target
}

// Target is where packets go.
type Target struct {
	netip.AddrPort
	// Local says whether it is on this node.
	Local bool
}

// Endpoint is a backend of a Service.
type Endpoint struct {
	Address  netip.Addr
	Hostname string
	// Ports are its ports by the names that they have in the Service.
	Ports []EndpointPort
	// Ready endpoints take new traffic, serving ones keep what they have.
	Ready, Serving, Terminating bool
	Node                        string
	ForNodes, ForZones          []string
}

// EndpointPort is a port of an endpoint. Number 0 means all ports.
type EndpointPort struct {
	Name     string
	Protocol corev1.Protocol
	Number   uint16
}

// HostPort is a port of the node that leads to one of its Pods.
type HostPort struct {
	Pod types.NamespacedName
	// HostIP is the address of the node; the zero Addr means all.
	HostIP   netip.Addr
	Port     uint16
	Protocol corev1.Protocol
	Target   netip.AddrPort
}
