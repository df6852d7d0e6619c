package iptables

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/proxy/service"
)

// Node is what the rules of a node depend on beside the snapshot.
type Node struct {
	// ClusterCIDR has all Pods, ServiceCIDR all ClusterIPs.
	ClusterCIDR, ServiceCIDR netip.Prefix
	// DNSAddress is the address of cluster DNS, and DNSPort the port of the
	// node's own server, to which it leads. Port 0: DNS is a Service like others.
	DNSAddress netip.Addr
	DNSPort    uint16
	// NodePortAddresses limit where node ports are open; none means everywhere.
	NodePortAddresses []netip.Prefix
	// PodNetwork is what a Pod network of ours needs; nothing where a foreign network plugin joins Pods.
	PodNetwork PodNetwork
}

// render turns a snapshot into rules. The same snapshot always gives the same
// rules; memo only saves the work for Services that have not changed.
func render(s *service.Snapshot, node Node, memo map[types.NamespacedName]*part) Rules {
	whole := &part{node: node}
	whole.dns()
	var chains Rules
	var foreign []netip.Addr
	for _, name := range sortedNames(s.Services) {
		if s.Services[name].Foreign {
			foreign = append(foreign, v4(s.Services[name].ClusterIPs)...)
			delete(memo, name)
			continue
		}
		p := memo[name]
		if p == nil || p.of != s.Services[name] {
			p = newPart(s.Services[name], node)
			memo[name] = p
		}
		whole.append(p)
		chains = append(chains, p.chains...)
	}
	for name := range memo {
		if s.Services[name] == nil {
			delete(memo, name)
		}
	}
	whole.hostPorts(s.HostPorts)
	whole.nodePortJumps()
	whole.unknownServices(foreign)
	marking, masquerading, input, forwarding := builder{}, node.postrouting(whole.neighbours), node.input(), node.forward()
	pods := node.PodNetwork.forward(node.ClusterCIDR, s.Nodes)
	marking.add("-j MARK --set-xmark", mark)
	input.rules = append(input.rules, whole.input.rules...)
	fixed := Rules{
		whole.services.chain(tableNAT, chainServices),
		whole.nodePorts.chain(tableNAT, chainNodePorts),
		whole.hosts.chain(tableNAT, chainHostPorts),
		marking.chain(tableNAT, chainMark),
		masquerading.chain(tableNAT, chainPostrouting),
		whole.fresh.chain(tableFilter, chainNew),
		input.chain(tableFilter, chainInput),
		forwarding.chain(tableFilter, chainForward),
		pods.chain(tableFilter, chainPods),
	}
	return slices.Concat(fixed, node.PodNetwork.tunnel(s.Nodes), whole.chains, chains)
}

// part is what one Service adds to the rules, or all of them together.
type part struct {
	node Node
	of   *service.Service
	// services, nodePorts and hosts are the chains of the nat table that all
	// new connections pass; fresh is the filter table's, input for all packets to the node.
	services, nodePorts, hosts, fresh, input builder
	chains                                   Rules
	// neighbours are the endpoints on this node.
	neighbours []netip.Addr
}

func newPart(svc *service.Service, node Node) *part {
	p := &part{node: node, of: svc}
	for i := range svc.Ports {
		p.port(svc, &svc.Ports[i])
	}
	p.healthCheck(svc)
	return p
}

// append adds the rules of another part to the chains that all share.
func (r *part) append(p *part) {
	r.services.rules = append(r.services.rules, p.services.rules...)
	r.nodePorts.rules = append(r.nodePorts.rules, p.nodePorts.rules...)
	r.fresh.rules = append(r.fresh.rules, p.fresh.rules...)
	r.input.rules = append(r.input.rules, p.input.rules...)
	r.neighbours = append(r.neighbours, p.neighbours...)
}

func sortedNames(services map[types.NamespacedName]*service.Service) []types.NamespacedName {
	return slices.SortedFunc(maps.Keys(services), func(a, b types.NamespacedName) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
}

// dns leads the port of cluster DNS to that of the node's own server, which is at the same address: there is no other that all
// Pods can reach under any network plugin, and nobody outside.
func (r *part) dns() {
	if r.node.DNSPort == 0 {
		return
	}
	port := strconv.Itoa(int(r.node.DNSPort))
	for _, protocol := range []string{"udp", "tcp"} {
		r.services.add("-d", host(r.node.DNSAddress), "-p", protocol, comment("cluster DNS"),
			"-m", protocol, "--dport 53 -j DNAT --to-destination", r.node.DNSAddress.String()+":"+port)
		r.fresh.add("-d", host(r.node.DNSAddress), "-p", protocol, comment("cluster DNS"),
			"-m", protocol, "--dport", port, "-m conntrack --ctstate DNAT -j RETURN")
	}
}

// hostPorts leads ports of the node to Pods on it.
func (r *part) hostPorts(ports []service.HostPort) {
	for _, port := range ports {
		if !port.Target.Addr().Is4() {
			continue
		}
		protocol := protocolOf(port.Protocol)
		rule := []string{"-p", protocol, comment(port.Pod.String() + " host port"), "-m", protocol, "--dport", strconv.Itoa(int(port.Port)),
			"-j DNAT --to-destination", port.Target.String()}
		if port.HostIP.IsValid() {
			rule = append([]string{"-d", host(port.HostIP)}, rule...)
		}
		r.hosts.add(rule...)
		r.neighbours = append(r.neighbours, port.Target.Addr())
	}
}

// nodePortJumps are the last rules for services: whatever else came to an
// address of the node. A Pod's own port is closer than a Service's.
func (r *part) nodePortJumps() {
	r.services.add(comment("host ports"), "-m addrtype --dst-type LOCAL -j", chainHostPorts)
	if len(r.node.NodePortAddresses) == 0 {
		r.services.add(comment("node ports"), "-m addrtype --dst-type LOCAL -j", chainNodePorts)
	}
	for _, prefix := range r.node.NodePortAddresses {
		if prefix.Addr().Is4() {
			r.services.add("-d", prefix.Masked().String(), comment("node ports"), "-m addrtype --dst-type LOCAL -j", chainNodePorts)
		}
	}
}

// unknownServices answers what is meant for a Service that there is not.
// Nothing else ends here: packets to known ones have their new destination, or are led by another proxy.
func (r *part) unknownServices(foreign []netip.Addr) {
	if !r.node.ServiceCIDR.IsValid() {
		return
	}
	for _, address := range foreign {
		r.fresh.add("-d", host(address), comment("served by another proxy"), "-j RETURN")
	}
	cidr := r.node.ServiceCIDR.Masked().String()
	r.fresh.add("-d", cidr, "-p tcp", comment("no such service"), reject("tcp"))
	r.fresh.add("-d", cidr, comment("no such service"), reject(""))
}

func (r *part) healthCheck(s *service.Service) {
	if s.HealthCheckNodePort != 0 {
		r.input.add("-p tcp", comment(s.String()+" health check node port"), "-m tcp --dport", strconv.Itoa(int(s.HealthCheckNodePort)), "-j ACCEPT")
	}
}

// postrouting gives packets an address of the node where the answer must come
// back to it: marked ones, those that begin at a loopback address, those of
// Pods that leave the cluster, and those that a Pod sends to itself by a
// Service: it would answer itself, from an address that it did not ask.
func (n Node) postrouting(neighbours []netip.Addr) builder {
	var b builder
	slices.SortFunc(neighbours, netip.Addr.Compare)
	for _, address := range slices.Compact(neighbours) {
		b.add("-s", host(address), "-d", host(address), comment("to itself"), "-j MASQUERADE --random-fully")
	}
	b.add("-s 127.0.0.0/8 ! -o lo", comment("from loopback"), "-j MASQUERADE --random-fully")
	if n.PodNetwork.InUse && n.ClusterCIDR.IsValid() {
		cidr := n.ClusterCIDR.Masked().String()
		b.add("-s", cidr, "-d", cidr, comment("between pods"), "-m mark ! --mark", mark, "-j RETURN")
		b.add("-s", cidr, "! -d 224.0.0.0/4", comment("pods to outside"), "-m mark ! --mark", mark, "-j MASQUERADE --random-fully")
	}
	b.add("-m mark ! --mark", mark, "-j RETURN")
	b.add("-j MARK --set-xmark 0x4000/0x0")
	b.add(comment("service traffic that must come back here"), "-j MASQUERADE --random-fully")
	return b
}

// input lets in questions to cluster DNS, and keeps packets with loopback addresses out that did not start here: local programs
// may send from those to node ports, which makes the kernel take them from links too.
func (n Node) input() builder {
	var b builder
	b.add("-p udp -j", chainTunnel)
	b.add("! -s 127.0.0.0/8", "-d 127.0.0.0/8", comment("loopback addresses from outside"),
		"-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP")
	if n.DNSPort == 0 {
		return b
	}
	port := strconv.Itoa(int(n.DNSPort))
	for _, protocol := range []string{"udp", "tcp"} {
		b.add("-d", host(n.DNSAddress), "-p", protocol, comment("cluster DNS"), "-m", protocol, "--dport", port, "-m conntrack --ctstate DNAT -j ACCEPT")
	}
	return b
}

// forward lets pass what Services lead on, whatever else the node forwards: no more than upstream's KUBE-FORWARD does.
func (n Node) forward() builder {
	var b builder
	if n.ClusterCIDR.IsValid() {
		// Answers that the kernel does not take for such keep their real source, which clients would reset.
		b.add("-s", n.ClusterCIDR.Masked().String(), comment("services"), "-m conntrack --ctstate INVALID -j DROP")
	}
	b.add(comment("services"), "-m mark --mark", mark, "-j ACCEPT")
	b.add(comment("services"), "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
	return b
}

// reject refuses a connection. TCP is reset: on the way out of this node an
// ICMP message would come while the socket is busy, and be heeded a second later.
func reject(protocol string) string {
	if protocol == "tcp" {
		return "-j REJECT --reject-with tcp-reset"
	}
	return "-j REJECT --reject-with icmp-port-unreachable"
}

// host writes an address as iptables-save does.
func host(address netip.Addr) string { return address.String() + "/32" }

// chance is a probability as the kernel keeps it, in 2^31ths.
func chance(of int) string {
	kept := uint32(0x80000000/float64(of) + 0.5)
	return fmt.Sprintf("%.11f", float64(kept)/0x80000000)
}

func protocolOf(p corev1.Protocol) string { return strings.ToLower(string(p)) }
