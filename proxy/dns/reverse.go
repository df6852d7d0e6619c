package dns

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/coracle-k8s/coracle/proxy/service"
)

// reverse answers with the names of an address. Of the reverse zones, those of the networks inside are ours, and single
// addresses of endpoints elsewhere.
func (z *zone) reverse(q dns.Question, name string, s *service.Snapshot) reply {
	asked, ok := addressesOf(name)
	if !ok {
		return reply{elsewhere: true}
	}
	apex, ours := z.reverseZone(asked, name)
	if !asked.IsSingleIP() {
		return z.aboveAddresses(q, name, apex, asked, s)
	}
	names := z.namesOf(asked.Addr(), s)
	switch {
	case len(names) == 0 && ours:
		return reply{unknown: true, apex: apex}
	case len(names) == 0:
		return reply{elsewhere: true}
	case !ours:
		apex = name
	}
	r := reply{apex: apex}
	if q.Qtype == dns.TypePTR {
		for _, name := range names {
			r.answer = append(r.answer, &dns.PTR{Hdr: header(q.Name, dns.TypePTR), Ptr: name})
		}
	}
	return r
}

// aboveAddresses answers for a name of many addresses. It has no records; it is known if an address beneath it has a name.
func (z *zone) aboveAddresses(q dns.Question, name, apex string, asked netip.Prefix, s *service.Snapshot) reply {
	var r reply
	switch {
	case apex == "":
		return reply{elsewhere: true}
	case apex == name:
		r = z.apex(q, apex)
	default:
		r.unknown = !anyWithin(asked, s)
	}
	r.apex = apex
	return r
}

// reverseZone is the name of the zone of ours that has the asked addresses. Zones begin at whole labels.
func (z *zone) reverseZone(asked netip.Prefix, name string) (apex string, ours bool) {
	bits, above := 8, 3 // of a label's address, and how many labels "in-addr.arpa." splits into
	if asked.Addr().Is6() {
		bits = 4
	}
	for _, p := range z.inside {
		if p.Bits() <= asked.Bits() && p.Contains(asked.Addr()) {
			labels := strings.Split(name, ".")
			return strings.Join(labels[len(labels)-above-(p.Bits()+bits-1)/bits:], "."), true
		}
	}
	return "", false
}

// anyWithin says whether an address has a name.
func anyWithin(asked netip.Prefix, s *service.Snapshot) bool {
	for _, svc := range s.Services {
		if slices.ContainsFunc(svc.ClusterIPs, asked.Contains) ||
			slices.ContainsFunc(svc.Endpoints, func(e service.Endpoint) bool { return e.Ready && asked.Contains(e.Address) }) {
			return true
		}
	}
	return false
}

// namesOf lists the name of the Service with an address, or else those of the endpoints with it.
func (z *zone) namesOf(address netip.Addr, s *service.Snapshot) []string {
	var names []string
	for _, svc := range s.Services {
		own := svc.Name + "." + svc.Namespace + ".svc." + z.domain
		if slices.Contains(svc.ClusterIPs, address) {
			return []string{own}
		}
		i, found := slices.BinarySearchFunc(svc.Endpoints, address, func(e service.Endpoint, a netip.Addr) int { return e.Address.Compare(a) })
		for ; found && i < len(svc.Endpoints) && svc.Endpoints[i].Address == address; i++ {
			if svc.Endpoints[i].Ready {
				names = append(names, label(&svc.Endpoints[i])+"."+own)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// addressesOf reads the name of an address in one of the reverse zones, or of all that begin alike.
func addressesOf(name string) (netip.Prefix, bool) {
	if labels, ok := strings.CutSuffix(name, ".in-addr.arpa."); ok {
		return parseReverse(labels, 4, 8, ".", 1)
	}
	if labels, ok := strings.CutSuffix(name, ".ip6.arpa."); ok {
		return parseReverse(labels, 32, 4, ":", 4)
	}
	return netip.Prefix{}, false
}

// parseReverse reads labels in reverse order: all is how many an address has, of so many bits each, and as text there is a
// separator after every few of them.
func parseReverse(labels string, all, bits int, separator string, every int) (netip.Prefix, bool) {
	parts := strings.Split(labels, ".")
	given := len(parts)
	if given > all || bits == 4 && len(labels) != 2*given-1 {
		return netip.Prefix{}, false
	}
	slices.Reverse(parts)
	var text strings.Builder
	for i := range all {
		if i > 0 && i%every == 0 {
			text.WriteString(separator)
		}
		if i < given {
			text.WriteString(parts[i])
		} else {
			text.WriteByte('0')
		}
	}
	address, err := netip.ParseAddr(text.String())
	return netip.PrefixFrom(address, given*bits), err == nil && address.BitLen() == all*bits
}
