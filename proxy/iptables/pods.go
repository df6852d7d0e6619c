package iptables

import (
	"net/netip"
	"slices"
	"strconv"
)

// PodNetwork is what the rules of a node depend on where Pods are joined to Coracle's own network.
type PodNetwork struct {
	// InUse says that Pods are, or may be: their packets are forwarded, and get the node's address when they leave the cluster.
	InUse bool
	// TunnelPort is the UDP port where other nodes' tunnels end; 0 where there are none.
	TunnelPort uint16
}

// forward lets Pods' packets pass where what nobody decides is dropped. It stands behind the administrator's own rules. What
// comes from outside of the cluster to a Pod must have been led there, by a Service or a host port.
func (n PodNetwork) forward(cluster netip.Prefix, nodes []netip.Addr) builder {
	var b builder
	if !n.InUse || !cluster.IsValid() {
		return b
	}
	pods := cluster.Masked().String()
	b.add("-s", pods, comment("from pods"), "-j ACCEPT")
	b.add("-d", pods, comment("led to pods"), "-m conntrack --ctstate DNAT -j ACCEPT")
	for _, node := range nodes {
		if node.Is4() {
			b.add("-s", host(node), "-d", pods, comment("from nodes"), "-j ACCEPT")
		}
	}
	return b
}

const (
	// fanout is how many rules a packet is held against at each level of the nodes' addresses.
	fanout = 8
	bits   = 3 // 1<<bits is fanout
)

// tunnel keeps out what is sent to the tunnel's port by others than nodes: vxlan itself takes packets from anybody. Each packet
// passes here, so that the addresses are a tree: 1,000 of them take some 30 rules.
func (n PodNetwork) tunnel(nodes []netip.Addr) Rules {
	var top builder
	var branches Rules
	if n.InUse && n.TunnelPort != 0 {
		only4 := slices.DeleteFunc(slices.Clone(nodes), func(a netip.Addr) bool { return !a.Is4() })
		top.add("-p udp -m udp ! --dport", strconv.Itoa(int(n.TunnelPort)), "-j RETURN")
		branches = among(only4, &top)
	}
	return append(Rules{top.chain(tableFilter, chainTunnel)}, branches...)
}

// among adds to b, and to chains beneath it, that packets from one of the addresses, which are in order, return and others are
// dropped. Going to a chain, instead of jumping, makes it return to where the first one was entered from.
func among(addresses []netip.Addr, b *builder) Rules {
	defer b.add(comment("tunnels of nodes only"), "-j DROP")
	var chains Rules
	length := 32
	if len(addresses) > fanout {
		length = common(addresses[0], addresses[len(addresses)-1]) + bits
	}
	for len(addresses) > 0 {
		group := branch(addresses[0], length)
		end := slices.IndexFunc(addresses, func(a netip.Addr) bool { return !group.Contains(a) })
		if end < 0 {
			end = len(addresses)
		}
		if end == 1 {
			b.add("-s", host(addresses[0]), comment("a node"), "-j RETURN")
		} else {
			var below builder
			deeper := among(addresses[:end], &below)
			name := chainName("TUN", group.String())
			b.add("-s", group.String(), comment("nodes"), "-g", name)
			chains = append(append(chains, below.chain(tableFilter, name)), deeper...)
		}
		addresses = addresses[end:]
	}
	return chains
}

func branch(a netip.Addr, length int) netip.Prefix {
	return netip.PrefixFrom(a, min(length, a.BitLen())).Masked()
}

// common is how many bits two addresses begin alike with.
func common(a, b netip.Addr) int {
	n := 0
	for n < a.BitLen() && branch(a, n+1) == branch(b, n+1) {
		n++
	}
	return n
}
