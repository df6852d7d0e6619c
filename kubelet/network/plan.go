package network

import (
	"cmp"
	"crypto/sha256"
	"net"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// machine is what counts of a Node here.
type machine struct {
	name string
	// addresses are the Node's own, ranges those of its Pods; the preferred family first.
	addresses []netip.Addr
	ranges    []netip.Prefix
}

// machineOf reads a Node. What cannot be read is left out: the API server lets none in.
func machineOf(n *corev1.Node) machine {
	m := machine{name: n.Name}
	for _, a := range n.Status.Addresses {
		if address, err := netip.ParseAddr(a.Address); err == nil && a.Type == corev1.NodeInternalIP {
			m.addresses = append(m.addresses, address.Unmap())
		}
	}
	for _, c := range n.Spec.PodCIDRs {
		if r, err := netip.ParsePrefix(c); err == nil {
			m.ranges = append(m.ranges, r.Masked())
		}
	}
	return m
}

func (m machine) equal(o machine) bool {
	return m.name == o.name && slices.Equal(m.addresses, o.addresses) && slices.Equal(m.ranges, o.ranges)
}

// address returns the first one of a family.
func (m machine) address(is4 bool) (netip.Addr, bool) {
	i := slices.IndexFunc(m.addresses, func(a netip.Addr) bool { return a.Is4() == is4 })
	if i < 0 {
		return netip.Addr{}, false
	}
	return m.addresses[i], true
}

// path is how packets get from this machine to an address.
type path struct {
	// shared says that the address is on a link of ours, by which it is asked for as itself.
	shared bool
	link   int
	mtu    int
	// source is the address that packets are sent from.
	source netip.Addr
}

// plan is all that leads from this machine to Pods of others.
type plan struct {
	routes []route
	// tunnel is nil where nobody is behind a router.
	tunnel *tunnel
}

// route leads to the Pods of one node: by a link of the machine, or by the tunnel if link is 0.
type route struct {
	to   netip.Prefix
	via  netip.Addr
	link int
}

// tunnel is this machine's end of the tunnels.
type tunnel struct {
	local netip.Addr
	mtu   int
	// addresses are what packets of this machine's own programs are sent from: the bridge's, so that answers come back here.
	addresses []netip.Addr
	peers     []peer
}

// peer is another end. Its hardware address follows from its address, so nobody needs to be asked for it.
type peer struct {
	at netip.Addr
	// gateways are the addresses that routes through the tunnel name.
	gateways []netip.Addr
}

// decide plans the ways from self to all others. A node on the same link is reached by a route; one behind a router, which knows
// nothing of Pods' addresses, by a tunnel. paths tells how to get to a node's address.
func decide(self machine, others []machine, paths func(netip.Addr) path) plan {
	slices.SortFunc(others, func(a, b machine) int { return cmp.Compare(a.name, b.name) })
	p := plan{}
	taken := map[netip.Prefix]bool{}
	for _, other := range others {
		if other.name == self.name || slices.ContainsFunc(other.addresses, func(a netip.Addr) bool { return slices.Contains(self.addresses, a) }) {
			continue // this machine, or one that had its address before
		}
		for _, r := range other.ranges {
			if taken[r] || slices.Contains(self.ranges, r) {
				continue
			}
			if p.direct(self, other, r, paths) || p.through(self, other, r, paths) {
				taken[r] = true
			}
		}
	}
	return p
}

// direct adds a route by a shared link. Both ends decide alike: the link must be the one that the others know this machine by.
func (p *plan) direct(self, other machine, r netip.Prefix, paths func(netip.Addr) path) bool {
	from, ok := self.address(r.Addr().Is4())
	to, also := other.address(r.Addr().Is4())
	if !ok || !also {
		return false
	}
	way := paths(to)
	if !way.shared || way.source != from {
		return false
	}
	p.routes = append(p.routes, route{to: r, via: to, link: way.link})
	return true
}

// through adds a route by the tunnel, which carries both families between the nodes' addresses of this machine's preferred one.
func (p *plan) through(self, other machine, r netip.Prefix, paths func(netip.Addr) path) bool {
	if len(self.addresses) == 0 {
		return false
	}
	local := self.addresses[0]
	at, ok := other.address(local.Is4())
	if !ok {
		return false
	}
	way := paths(at)
	if way.link == 0 {
		return false // a change of routes will tell when there is a way
	}
	if p.tunnel == nil {
		p.tunnel = &tunnel{local: local}
		for _, own := range self.ranges {
			p.tunnel.addresses = append(p.tunnel.addresses, gateway(own))
		}
	}
	t := p.tunnel
	if mtu := way.mtu - overhead(local); t.mtu == 0 || mtu < t.mtu {
		t.mtu = mtu
	}
	i := slices.IndexFunc(t.peers, func(p peer) bool { return p.at == at })
	if i < 0 {
		i, t.peers = len(t.peers), append(t.peers, peer{at: at})
	}
	t.peers[i].gateways = append(t.peers[i].gateways, gateway(r))
	p.routes = append(p.routes, route{to: r, via: gateway(r)})
	return true
}

// gateway is the bridge's address in a node's range.
func gateway(r netip.Prefix) netip.Addr { return r.Masked().Addr().Next() }

// overhead is what a tunnel's headers take of each packet: Ethernet, vxlan, UDP and IP.
func overhead(outer netip.Addr) int {
	if outer.Is4() {
		return 14 + 8 + 8 + 20
	}
	return 14 + 8 + 8 + 40
}

// hardwareAddr is that of the tunnel's end at an address: an IPv4 address as it is, what is longer by its hash.
func hardwareAddr(at netip.Addr) net.HardwareAddr {
	if at.Is4() {
		return append(net.HardwareAddr{0x0e, 0x58}, at.AsSlice()...)
	}
	sum := sha256.Sum256(at.AsSlice())
	return append(net.HardwareAddr{0x0e}, sum[:5]...)
}
