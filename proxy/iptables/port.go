package iptables

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/coracle-k8s/coracle/proxy/service"
)

// frontend renders one port of one Service.
type frontend struct {
	*part
	service  *service.Service
	port     *service.Port
	name     string
	protocol string

	// cluster and local are the chains that choose among endpoints, external
	// the one that traffic from outside passes before, firewall the one before that.
	cluster, local, external, firewall string
}

func (r *part) port(s *service.Service, both *service.Port) {
	p := only4(both)
	name := s.String()
	if p.Name != "" {
		name += ":" + p.Name
	}
	protocol := protocolOf(p.Protocol)
	f := &frontend{
		part: r, service: s, port: p, name: name, protocol: protocol,
		cluster:  chainName("SVC", name, protocol),
		local:    chainName("SVL", name, protocol),
		external: chainName("EXT", name, protocol),
		firewall: chainName("FWL", name, protocol),
	}
	f.inside()
	f.outside()
	f.choices()
}

// inside leads the Service's own addresses.
func (f *frontend) inside() {
	chain, targets := f.cluster, f.port.Cluster
	if f.service.InternalLocal {
		chain, targets = f.local, f.port.Local
	}
	for _, address := range v4(f.service.ClusterIPs) {
		if len(targets) == 0 {
			f.refuse(f.to(address, f.port.Port, f.reason(f.service.InternalLocal)), f.service.InternalLocal)
			continue
		}
		f.services.add(append(f.to(address, f.port.Port, "cluster IP"), "-j", chain)...)
	}
}

// outside leads external addresses and node ports.
func (f *frontend) outside() {
	if !f.service.External {
		return
	}
	targets := f.port.Cluster
	if f.service.ExternalLocal {
		targets = f.port.Local
	}
	balancer := f.external
	if len(f.service.SourceRanges) > 0 {
		balancer = f.firewall
	}
	for _, address := range v4(f.service.ExternalIPs) {
		f.accept(f.to(address, f.port.Port, "external IP"), f.external)
		f.refuseUnless(targets, f.to(address, f.port.Port, f.reason(f.service.ExternalLocal)))
	}
	for _, address := range v4(f.service.LoadBalancerIPs) {
		f.accept(f.to(address, f.port.Port, "load balancer IP"), balancer)
		if balancer == f.firewall && f.port.HasEndpoints {
			f.fresh.add(append(f.to(address, f.port.Port, "not from an allowed source"), "-j DROP")...)
		}
		f.refuseUnless(targets, f.to(address, f.port.Port, f.reason(f.service.ExternalLocal)))
	}
	if f.port.NodePort != 0 {
		if f.port.HasEndpoints {
			f.nodePorts.add("-p", f.protocol, comment(f.name+" node port"), "-m", f.protocol, "--dport", strconv.Itoa(int(f.port.NodePort)), "-j", f.external)
		}
		f.refuseUnless(targets, []string{"-p", f.protocol, comment(f.name + " " + f.reason(f.service.ExternalLocal)),
			"-m addrtype --dst-type LOCAL -m", f.protocol, "--dport", strconv.Itoa(int(f.port.NodePort))})
	}
	if f.port.HasEndpoints {
		f.externalChain(targets)
		if balancer == f.firewall && len(v4(f.service.LoadBalancerIPs)) > 0 {
			f.firewallChain()
		}
	}
}

// accept leads packets on, if there is anywhere to go.
func (f *frontend) accept(match []string, chain string) {
	if f.port.HasEndpoints {
		f.services.add(append(match, "-j", chain)...)
	}
}

// externalChain masquerades what comes from outside, so that answers come
// back by this node; unless it stays on the node, where the client's address
// is kept. Local clients use any endpoint all the same.
func (f *frontend) externalChain(targets []service.Target) {
	var b builder
	if !f.service.ExternalLocal {
		b.add(comment(f.name+" from outside"), "-j", chainMark)
	} else {
		if f.node.ClusterCIDR.IsValid() && len(f.port.Cluster) > 0 {
			b.add("-s", f.node.ClusterCIDR.Masked().String(), comment(f.name+" from pods"), "-j", f.cluster)
		}
		b.add(comment(f.name+" from this node"), "-m addrtype --src-type LOCAL -j", chainMark)
		if len(f.port.Cluster) > 0 {
			b.add(comment(f.name+" from this node"), "-m addrtype --src-type LOCAL -j", f.cluster)
		}
	}
	if len(targets) > 0 {
		chain := f.cluster
		if f.service.ExternalLocal {
			chain = f.local
		}
		b.add("-j", chain)
	}
	f.chains = append(f.chains, b.chain(tableNAT, f.external))
}

// firewallChain lets the allowed sources in; others keep their destination
// and are dropped by the filter table.
func (f *frontend) firewallChain() {
	var b builder
	for _, source := range f.service.SourceRanges {
		if source.Addr().Is4() {
			b.add(source4(source), comment(f.name+" load balancer IP"), "-j", f.external)
		}
	}
	f.chains = append(f.chains, b.chain(tableNAT, f.firewall))
}

// choices renders the chains that choose an endpoint.
func (f *frontend) choices() {
	if len(f.port.Cluster) > 0 {
		f.choose(f.cluster, f.port.Cluster, !f.service.InternalLocal)
	}
	if len(f.port.Local) > 0 {
		f.choose(f.local, f.port.Local, f.service.InternalLocal)
	}
	for _, target := range slices.Concat(f.port.Cluster, f.port.Local) {
		if target.Local {
			f.neighbours = append(f.neighbours, target.Addr())
		}
	}
}

// choose takes the endpoint that the client had before, or any with equal
// chance. Clients of the Service's own address that are no Pods are
// masqueraded: their answers must come back by this node.
func (f *frontend) choose(chain string, targets []service.Target, inside bool) {
	var b builder
	if inside && f.node.ClusterCIDR.IsValid() {
		for _, address := range v4(f.service.ClusterIPs) {
			b.add(append([]string{"! -s", f.node.ClusterCIDR.Masked().String()}, append(f.to(address, f.port.Port, "cluster IP"), "-j", chainMark)...)...)
		}
	}
	if f.service.AffinitySeconds > 0 {
		for _, target := range targets {
			b.add("-p", f.protocol, comment(f.name), "-m recent --update --seconds", strconv.Itoa(int(f.service.AffinitySeconds)), "--reap", f.visitors(target), "-j DNAT --to-destination", target.String())
		}
	}
	for i, target := range targets {
		match := []string{"-p", f.protocol, comment(f.name)}
		if left := len(targets) - i; left > 1 {
			match = append(match, "-m statistic --mode random --probability", chance(left))
		}
		if f.service.AffinitySeconds > 0 {
			match = append(match, "-m recent --set", f.visitors(target))
		}
		b.add(append(match, "-j DNAT --to-destination", target.String())...)
	}
	f.chains = append(f.chains, b.chain(tableNAT, chain))
}

// visitors names the kernel's list of an endpoint's clients.
func (f *frontend) visitors(target service.Target) string {
	return "--name " + chainName("SEP", f.name, f.protocol, target.String()) + " --mask 255.255.255.255 --rsource"
}

func (f *frontend) to(address netip.Addr, port uint16, why string) []string {
	return []string{"-d", host(address), "-p", f.protocol, comment(f.name + " " + why), "-m", f.protocol, "--dport", strconv.Itoa(int(port))}
}

func (f *frontend) reason(local bool) string {
	if local && f.port.HasEndpoints {
		return "has no local endpoints"
	}
	return "has no endpoints"
}

func (f *frontend) refuseUnless(targets []service.Target, match []string) {
	if len(targets) == 0 {
		f.refuse(match, f.service.ExternalLocal)
	}
}

// refuse rejects, or drops where endpoints of other nodes could have answered:
// a load balancer or client then tries another node.
func (f *frontend) refuse(match []string, local bool) {
	if local && f.port.HasEndpoints {
		f.fresh.add(append(match, "-j DROP")...)
		return
	}
	f.fresh.add(append(match, reject(f.protocol))...)
}

func v4(addresses []netip.Addr) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(addresses), func(a netip.Addr) bool { return !a.Is4() })
}

// source4 matches a source; iptables-save does not print the one that matches all.
func source4(prefix netip.Prefix) string {
	if prefix.Bits() == 0 {
		return "-s 0.0.0.0/0"
	}
	return "-s " + prefix.String()
}

// only4 is a port without what belongs to the other address family.
func only4(both *service.Port) *service.Port {
	p := *both
	p.Cluster, p.Local, p.Serving = targets4(both.Cluster), targets4(both.Local), targets4(both.Serving)
	p.HasEndpoints = both.HasEndpoints && len(p.Serving) > 0
	return &p
}

func targets4(all []service.Target) []service.Target {
	other := func(t service.Target) bool { return !t.Addr().Is4() }
	if !slices.ContainsFunc(all, other) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), other)
}
