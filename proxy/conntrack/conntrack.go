// Package conntrack ends UDP flows that the kernel remembers and that lead
// where a Service no longer does.
package conntrack

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/proxy/service"
)

// Table says where UDP flows to Services may lead. Flows of Services without
// any endpoint are left alone: there is no better place for them.
type Table struct {
	// addresses are by destination address and port, ports by port alone, at any address of the node.
	addresses map[netip.AddrPort]ends
	ports     map[uint16]ends
}

type ends map[netip.AddrPort]struct{}

// NewTable returns the table for a snapshot.
func NewTable(s *service.Snapshot) Table {
	t := Table{addresses: map[netip.AddrPort]ends{}, ports: map[uint16]ends{}}
	for _, svc := range s.Services {
		if svc.Foreign {
			continue
		}
		for i := range svc.Ports {
			t.add(svc, &svc.Ports[i])
		}
	}
	for _, port := range s.HostPorts {
		if port.Protocol != corev1.ProtocolUDP {
			continue
		}
		if port.HostIP.IsValid() {
			t.addresses[netip.AddrPortFrom(port.HostIP, port.Port)] = ends{port.Target: {}}
		} else {
			t.ports[port.Port] = ends{port.Target: {}}
		}
	}
	return t
}

func (t *Table) add(svc *service.Service, port *service.Port) {
	if port.Protocol != corev1.ProtocolUDP || len(port.Serving) == 0 {
		return
	}
	ends := ends{}
	for _, target := range port.Serving {
		ends[target.AddrPort] = struct{}{}
	}
	for _, addresses := range [][]netip.Addr{svc.ClusterIPs, svc.ExternalIPs, svc.LoadBalancerIPs} {
		for _, address := range addresses {
			t.addresses[netip.AddrPortFrom(address, port.Port)] = ends
		}
	}
	if port.NodePort != 0 {
		t.ports[port.NodePort] = ends
	}
}

// Equal says whether two tables lead to the same places, so that there is
// nothing to end after going from one to the other.
func (t Table) Equal(other Table) bool {
	return equal(t.addresses, other.addresses) && equal(t.ports, other.ports)
}

func equal[K comparable](a, b map[K]ends) bool {
	if len(a) != len(b) {
		return false
	}
	for key, left := range a {
		right, ok := b[key]
		if !ok || len(left) != len(right) {
			return false
		}
		for end := range left {
			if _, ok := right[end]; !ok {
				return false
			}
		}
	}
	return true
}

// stale says whether a flow to a destination is answered by an endpoint that is none any more.
func (t Table) stale(destination, answers netip.AddrPort) bool {
	ends, known := t.addresses[destination]
	if !known {
		ends, known = t.ports[destination.Port()]
	}
	if !known {
		return false
	}
	_, good := ends[answers]
	return !good
}

// MatchConntrackFlow says whether to end a flow.
func (t Table) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool {
	return flow.Forward.Protocol == unix.IPPROTO_UDP &&
		t.stale(addrPort(flow.Forward.DstIP, flow.Forward.DstPort), addrPort(flow.Reverse.SrcIP, flow.Reverse.SrcPort))
}

func addrPort(ip net.IP, port uint16) netip.AddrPort {
	address, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(address.Unmap(), port)
}

// Clean ends the flows of this network namespace that lead elsewhere than the
// table allows, and returns how many there were.
func Clean(t Table) (int, error) {
	n, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, t)
	if err != nil {
		return int(n), fmt.Errorf("ending stale flows: %w", err)
	}
	return int(n), nil
}
