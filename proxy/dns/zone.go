package dns

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/proxy/service"
)

const (
	// ttl is how long answers may be kept, in seconds: as short as changes should be seen.
	ttl = 5
	// specification is the version of the Kubernetes DNS specification that is implemented:
	// https://github.com/kubernetes/dns/blob/master/docs/specification.md
	specification = "1.1.0"
)

// zone answers for the names of a cluster. It is immutable.
type zone struct {
	// domain is the cluster's, fully qualified, in lower case.
	domain string
	// address is that of cluster DNS itself.
	address netip.Addr
	// inside are the networks of the cluster: nobody else knows names for their addresses.
	inside []netip.Prefix
}

// reply is what a zone has to say to a question.
type reply struct {
	answer, extra []dns.RR
	// unknown says that there is no such name.
	unknown bool
	// elsewhere says that the zone knows nothing of the name and others may.
	elsewhere bool
	// alias is a name outside of the zone that the answer ends with: its
	// records belong to the answer too.
	alias string
}

// answer looks a question up. Names in records are spelled as they were asked for.
func (z *zone) answer(q dns.Question, s *service.Snapshot) reply {
	name := strings.ToLower(q.Name)
	switch {
	case dns.IsSubDomain(z.domain, name):
		labels := dns.SplitDomainName(strings.TrimSuffix(name, z.domain))
		return z.forward(q, labels, s)
	case dns.IsSubDomain("in-addr.arpa.", name), dns.IsSubDomain("ip6.arpa.", name):
		return z.reverse(q, name, s)
	}
	return reply{elsewhere: true}
}

// forward answers for names in the cluster's domain.
func (z *zone) forward(q dns.Question, labels []string, s *service.Snapshot) reply {
	switch n := len(labels); {
	case n == 0:
		return z.apex(q)
	case n == 1 && labels[0] == "dns-version":
		return txt(q, specification)
	case labels[n-1] == "dns":
		return z.nameServer(q, labels)
	case labels[n-1] == "svc":
		return z.services(q, labels[:n-1], s)
	case labels[n-1] == "pod":
		return pods(q, labels[:n-1])
	}
	return reply{unknown: true}
}

func (z *zone) apex(q dns.Question) reply {
	switch q.Qtype {
	case dns.TypeSOA:
		return reply{answer: []dns.RR{z.soa()}}
	case dns.TypeNS:
		ns := &dns.NS{Hdr: header(q.Name, dns.TypeNS), Ns: "ns.dns." + z.domain}
		return reply{answer: []dns.RR{ns}, extra: addressRecord(ns.Ns, dns.TypeA, z.address)}
	}
	return reply{}
}

func (z *zone) nameServer(q dns.Question, labels []string) reply {
	if len(labels) == 1 {
		return reply{}
	}
	if len(labels) == 2 && labels[0] == "ns" {
		return reply{answer: addressRecord(q.Name, q.Qtype, z.address)}
	}
	return reply{unknown: true}
}

// services answers for [[port.]protocol.|endpoint.]service.namespace.
func (z *zone) services(q dns.Question, labels []string, s *service.Snapshot) reply {
	n := len(labels)
	switch n {
	case 0:
		return reply{}
	case 1:
		return reply{unknown: !hasNamespace(s, labels[0])}
	}
	svc := s.Services[types.NamespacedName{Namespace: labels[n-1], Name: labels[n-2]}]
	if svc == nil {
		return reply{unknown: true}
	}
	if svc.Type == corev1.ServiceTypeExternalName {
		return z.externalName(q, svc, labels[:n-2], s)
	}
	own := strings.Join(labels[n-2:], ".") + ".svc." + z.domain
	switch rest := labels[:n-2]; len(rest) {
	case 0:
		return z.service(q, svc, own, nil)
	case 1:
		return endpoint(q, svc, rest[0])
	case 2:
		port, named := strings.CutPrefix(rest[0], "_")
		protocol, also := strings.CutPrefix(rest[1], "_")
		if named && also {
			return z.service(q, svc, own, &portName{port, protocol})
		}
	}
	return reply{unknown: true}
}

func hasNamespace(s *service.Snapshot, namespace string) bool {
	for name := range s.Services {
		if name.Namespace == namespace {
			return true
		}
	}
	return false
}

// externalName answers with the name that the Service stands for, and what there is under it.
func (z *zone) externalName(q dns.Question, svc *service.Service, rest []string, s *service.Snapshot) reply {
	if len(rest) > 0 {
		return reply{unknown: true}
	}
	target := dns.Fqdn(svc.ExternalName)
	if _, valid := dns.IsDomainName(target); !valid || target == "." {
		return reply{}
	}
	if _, err := netip.ParseAddr(svc.ExternalName); err == nil {
		return reply{}
	}
	alias := reply{answer: []dns.RR{&dns.CNAME{Hdr: header(q.Name, dns.TypeCNAME), Target: target}}}
	if q.Qtype == dns.TypeCNAME {
		return alias
	}
	if !dns.IsSubDomain(z.domain, strings.ToLower(target)) {
		alias.alias = target
		return alias
	}
	// One step only: names of the cluster that lead to one another in a circle end here.
	next := strings.TrimSuffix(strings.ToLower(target), "."+z.domain)
	if labels := dns.SplitDomainName(next); len(labels) == 3 && labels[2] == "svc" {
		other := s.Services[types.NamespacedName{Namespace: labels[1], Name: labels[0]}]
		if other != nil && other.Type != corev1.ServiceTypeExternalName {
			inner := z.service(dns.Question{Name: target, Qtype: q.Qtype, Qclass: q.Qclass}, other, target, nil)
			alias.answer, alias.extra = append(alias.answer, inner.answer...), inner.extra
		}
	}
	return alias
}

// pods answers for a-b-c-d.namespace: the address is in the name.
func pods(q dns.Question, labels []string) reply {
	switch len(labels) {
	case 0, 1:
		return reply{}
	case 2:
		if address, ok := undash(labels[0]); ok {
			return reply{answer: addressRecord(q.Name, q.Qtype, address)}
		}
	}
	return reply{unknown: true}
}

// dash writes an address as a label, undash reads it.
func dash(address netip.Addr) string {
	return strings.NewReplacer(".", "-", ":", "-").Replace(address.String())
}

func undash(label string) (netip.Addr, bool) {
	separator := ":"
	if strings.Count(label, "-") == 3 && !strings.Contains(label, "--") {
		separator = "."
	}
	address, err := netip.ParseAddr(strings.ReplaceAll(label, "-", separator))
	return address, err == nil
}

func (z *zone) soa() dns.RR {
	return &dns.SOA{
		Hdr: header(z.domain, dns.TypeSOA),
		Ns:  "ns.dns." + z.domain, Mbox: "hostmaster." + z.domain,
		Serial: 1, Refresh: 7200, Retry: 1800, Expire: 86400, Minttl: ttl,
	}
}

func txt(q dns.Question, text string) reply {
	if q.Qtype != dns.TypeTXT {
		return reply{}
	}
	return reply{answer: []dns.RR{&dns.TXT{Hdr: header(q.Name, dns.TypeTXT), Txt: []string{text}}}}
}

func header(name string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: ttl}
}

// addressRecord returns the records of a kind for addresses: those of the other family are left out.
func addressRecord(name string, kind uint16, addresses ...netip.Addr) []dns.RR {
	var records []dns.RR
	for _, address := range addresses {
		switch {
		case kind == dns.TypeA && address.Is4():
			records = append(records, &dns.A{Hdr: header(name, dns.TypeA), A: address.AsSlice()})
		case kind == dns.TypeAAAA && address.Is6():
			records = append(records, &dns.AAAA{Hdr: header(name, dns.TypeAAAA), AAAA: address.AsSlice()})
		}
	}
	return records
}

func distinct(addresses []netip.Addr) []netip.Addr {
	slices.SortFunc(addresses, netip.Addr.Compare)
	return slices.Compact(addresses)
}
