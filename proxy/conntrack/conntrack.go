// Package conntrack ends UDP flows that the kernel remembers and that lead
// where a Service no longer does.
package conntrack

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/proxy/service"
)

// Table says where UDP flows to Services and host ports may lead. To a Service without endpoints none may: whoever sends on would
// reach a dead Pod, or who has its address next.
type Table struct {
	// addresses are by destination address and port, ports by port alone, at any address of the node.
	addresses map[netip.AddrPort]ends
	ports     map[uint16]ends
	// services has the ClusterIPs: what leads to one that is in no Service leads nowhere. It is somebody else's to say of those
	// in others.
	services netip.Prefix
	others   map[netip.Addr]struct{}
}

type ends map[netip.AddrPort]struct{}

// NewTable returns the table for a snapshot. services has all ClusterIPs, those in others are not for the table to say.
func NewTable(s *service.Snapshot, services netip.Prefix, others ...netip.Addr) Table {
	t := Table{addresses: map[netip.AddrPort]ends{}, ports: map[uint16]ends{}, services: services, others: map[netip.Addr]struct{}{}}
	for _, svc := range s.Services {
		if svc.Foreign {
			others = append(others, svc.ClusterIPs...)
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
	for _, other := range others {
		t.others[other] = struct{}{}
		maps.DeleteFunc(t.addresses, func(a netip.AddrPort, _ ends) bool { return a.Addr() == other })
	}
	return t
}

func (t *Table) add(svc *service.Service, port *service.Port) {
	if port.Protocol != corev1.ProtocolUDP {
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

// cleaner finds the flows to end.
type cleaner struct {
	// now is where flows may lead, before where they were led until now.
	now, before Table
	// local are the node's own addresses: at others a port is somebody else's.
	local map[netip.Addr]bool
}

// stale says whether a flow to a destination is answered by an endpoint that is none any more.
func (c cleaner) stale(destination, answers netip.AddrPort) bool {
	if ends, known := c.ends(c.now, destination); known {
		_, good := ends[answers]
		return !good
	}
	if _, other := c.now.others[destination.Addr()]; other {
		return false
	}
	if c.now.services.Contains(destination.Addr()) {
		return true
	}
	ends, _ := c.ends(c.before, destination)
	_, led := ends[answers]
	return led
}

func (c cleaner) ends(t Table, destination netip.AddrPort) (ends, bool) {
	if ends, known := t.addresses[destination]; known {
		return ends, true
	}
	if !c.local[destination.Addr()] {
		return nil, false
	}
	ends, known := t.ports[destination.Port()]
	return ends, known
}

// MatchConntrackFlow says whether to end a flow.
func (c cleaner) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool {
	return flow.Forward.Protocol == unix.IPPROTO_UDP &&
		c.stale(addrPort(flow.Forward.DstIP, flow.Forward.DstPort), addrPort(flow.Reverse.SrcIP, flow.Reverse.SrcPort))
}

func addrPort(ip net.IP, port uint16) netip.AddrPort {
	address, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(address.Unmap(), port)
}

// tries is how often a reading of all flows is begun, which the kernel interrupts where they change.
const tries = 3

// Clean ends the flows of this network namespace that lead elsewhere than the
// table allows, or where the table before led that the present one does not know. It returns how many there were.
func Clean(now, before Table) (int, error) {
	own, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return 0, fmt.Errorf("listing the node's addresses: %w", err)
	}
	c := cleaner{now: now, before: before, local: map[netip.Addr]bool{}}
	for _, a := range own {
		if address, ok := netip.AddrFromSlice(a.IP); ok {
			c.local[address.Unmap()] = true
		}
	}
	total := 0
	for try := 1; ; try++ {
		n, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, c)
		total += int(n)
		if err == nil {
			return total, nil
		}
		if try == tries || !errors.Is(err, netlink.ErrDumpInterrupted) {
			return total, fmt.Errorf("ending stale flows: %w", err)
		}
	}
}
