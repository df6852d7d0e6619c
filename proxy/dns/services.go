package dns

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/proxy/service"
)

// portName is a port as it stands in a question, in lower case.
type portName struct{ name, protocol string }

func (p *portName) matches(name, protocol string) bool {
	return p == nil || strings.ToLower(name) == p.name && strings.ToLower(protocol) == p.protocol
}

// hasPorts says whether there are names of ports of a protocol, in lower case, beneath a Service's.
func hasPorts(svc *service.Service, protocol string) bool {
	named := func(name string, p corev1.Protocol) bool { return name != "" && strings.ToLower(string(p)) == protocol }
	return slices.ContainsFunc(svc.Ports, func(p service.Port) bool { return named(p.Name, p.Protocol) }) ||
		svc.Headless && slices.ContainsFunc(svc.Endpoints, func(e service.Endpoint) bool {
			return e.Ready && slices.ContainsFunc(e.Ports, func(p service.EndpointPort) bool { return named(p.Name, p.Protocol) })
		})
}

// service answers for the name of a Service, or of one of its ports.
func (z *zone) service(q dns.Question, svc *service.Service, own string, port *portName) reply {
	if svc.Headless {
		return headless(q, svc, own, port)
	}
	known := port == nil
	var srv []dns.RR
	for _, p := range svc.Ports {
		if port.matches(p.Name, string(p.Protocol)) {
			known = true
			srv = append(srv, &dns.SRV{Hdr: header(q.Name, dns.TypeSRV), Weight: 100, Port: p.Port, Target: own})
		}
	}
	if !known {
		return reply{unknown: true}
	}
	if q.Qtype == dns.TypeSRV {
		return reply{answer: weighted(srv), extra: bothFamilies(own, svc.ClusterIPs)}
	}
	return reply{answer: addressRecord(q.Name, q.Qtype, svc.ClusterIPs...)}
}

// headless answers with the ready endpoints. Without any there is the name,
// but nothing under it: not "no such name", which resolvers would remember.
func headless(q dns.Question, svc *service.Service, own string, port *portName) reply {
	var r reply
	var addresses []netip.Addr
	targets := map[string]bool{}
	known := port == nil || slices.ContainsFunc(svc.Ports, func(p service.Port) bool { return port.matches(p.Name, string(p.Protocol)) })
	for i := range svc.Endpoints {
		e := &svc.Endpoints[i]
		if !e.Ready {
			continue
		}
		matched := port == nil
		for _, p := range e.Ports {
			if !port.matches(p.Name, string(p.Protocol)) {
				continue
			}
			matched, known = true, true
			if q.Qtype == dns.TypeSRV && p.Number != 0 {
				target := label(e) + "." + own
				r.answer = append(r.answer, &dns.SRV{Hdr: header(q.Name, dns.TypeSRV), Weight: 100, Port: p.Number, Target: target})
				if !targets[target+e.Address.String()] {
					targets[target+e.Address.String()] = true
					r.extra = append(r.extra, bothFamilies(target, []netip.Addr{e.Address})...)
				}
			}
		}
		if matched {
			addresses = append(addresses, e.Address)
		}
	}
	if q.Qtype == dns.TypeSRV {
		r.answer = weighted(r.answer)
	} else {
		r.answer = addressRecord(q.Name, q.Qtype, distinct(addresses)...)
	}
	r.unknown = !known
	return r
}

// endpoint answers for one endpoint of a Service, by its hostname or its address with dashes.
func endpoint(q dns.Question, svc *service.Service, name string) reply {
	var addresses []netip.Addr
	srv := map[uint16]dns.RR{}
	found := false
	for i := range svc.Endpoints {
		e := &svc.Endpoints[i]
		if !e.Ready || strings.ToLower(label(e)) != name {
			continue
		}
		found = true
		addresses = append(addresses, e.Address)
		for _, p := range e.Ports {
			if p.Number != 0 {
				srv[p.Number] = &dns.SRV{Hdr: header(q.Name, dns.TypeSRV), Weight: 100, Port: p.Number, Target: q.Name}
			}
		}
	}
	if !found {
		return reply{unknown: true}
	}
	addresses = distinct(addresses)
	if q.Qtype == dns.TypeSRV {
		var records []dns.RR
		for _, record := range srv {
			records = append(records, record)
		}
		slices.SortFunc(records, func(a, b dns.RR) int { return cmp.Compare(a.(*dns.SRV).Port, b.(*dns.SRV).Port) })
		return reply{answer: weighted(records), extra: bothFamilies(q.Name, addresses)}
	}
	return reply{answer: addressRecord(q.Name, q.Qtype, addresses...)}
}

func label(e *service.Endpoint) string {
	if e.Hostname != "" {
		return e.Hostname
	}
	return dash(e.Address)
}

// weighted shares out a weight of 100, as clients choose in proportion.
func weighted(srv []dns.RR) []dns.RR {
	if len(srv) > 1 {
		share := uint16(max(100/len(srv), 1))
		for _, record := range srv {
			record.(*dns.SRV).Weight = share
		}
	}
	return srv
}

func bothFamilies(name string, addresses []netip.Addr) []dns.RR {
	return append(addressRecord(name, dns.TypeA, addresses...), addressRecord(name, dns.TypeAAAA, addresses...)...)
}
