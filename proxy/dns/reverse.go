package dns

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/coracle-k8s/coracle/proxy/service"
)

// reverse answers with the names of an address.
func (z *zone) reverse(q dns.Question, name string, s *service.Snapshot) reply {
	address, ok := addressOf(name)
	if !ok {
		return reply{elsewhere: true}
	}
	names := z.namesOf(address, s)
	if len(names) == 0 {
		if slices.ContainsFunc(z.inside, func(p netip.Prefix) bool { return p.Contains(address) }) {
			return reply{unknown: true}
		}
		return reply{elsewhere: true}
	}
	var r reply
	if q.Qtype == dns.TypePTR {
		for _, name := range names {
			r.answer = append(r.answer, &dns.PTR{Hdr: header(q.Name, dns.TypePTR), Ptr: name})
		}
	}
	return r
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

// addressOf reads the name of an address in one of the reverse zones.
func addressOf(name string) (netip.Addr, bool) {
	if labels, ok := strings.CutSuffix(name, ".in-addr.arpa."); ok {
		parts := strings.Split(labels, ".")
		if len(parts) != 4 {
			return netip.Addr{}, false
		}
		slices.Reverse(parts)
		address, err := netip.ParseAddr(strings.Join(parts, "."))
		return address, err == nil
	}
	labels, ok := strings.CutSuffix(name, ".ip6.arpa.")
	parts := strings.Split(labels, ".")
	if !ok || len(parts) != 32 {
		return netip.Addr{}, false
	}
	slices.Reverse(parts)
	var text strings.Builder
	for i, part := range parts {
		if i > 0 && i%4 == 0 {
			text.WriteByte(':')
		}
		text.WriteString(part)
	}
	address, err := netip.ParseAddr(text.String())
	return address, err == nil && len(labels) == 63
}
