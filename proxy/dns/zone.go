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
	// unknown says that there is no such name, and no name beneath it either: https://www.rfc-editor.org/rfc/rfc8020
	// A name that has no records of the kind asked for, or only names beneath it, is known and has an empty answer.
	unknown bool
	// elsewhere says that the zone knows nothing of the name and others may.
	elsewhere bool
	// alias is a name that the answer ends with: its records belong to the answer too.
	alias string
	// apex is the name of the zone that the answer is from; the cluster's domain unless set.
	apex string
}

// denies says whether the answer is that there is nothing: then the zone's SOA record tells how long that may be remembered.
// https://www.rfc-editor.org/rfc/rfc2308
func (r *reply) denies(kind uint16) bool {
	n := len(r.answer)
	return r.unknown || n == 0 || !wantsAlias(kind) && r.answer[n-1].Header().Rrtype == dns.TypeCNAME
}

// answer looks a question up. Names in records are spelled as they were asked for.
func (z *zone) answer(q dns.Question, s *service.Snapshot) reply {
	name := strings.ToLower(q.Name)
	switch {
	case dns.IsSubDomain(z.domain, name):
		return z.follow(q, z.forward(q, name, s), s)
	case dns.IsSubDomain("in-addr.arpa.", name), dns.IsSubDomain("ip6.arpa.", name):
		return z.reverse(q, name, s)
	}
	return reply{elsewhere: true}
}

// forward answers for a name in the cluster's domain, in lower case.
func (z *zone) forward(q dns.Question, name string, s *service.Snapshot) reply {
	labels := dns.SplitDomainName(strings.TrimSuffix(name, z.domain))
	switch n := len(labels); {
	case n == 0:
		return z.apex(q, z.domain)
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

// apex answers for the name of a zone.
func (z *zone) apex(q dns.Question, name string) reply {
	switch q.Qtype {
	case dns.TypeSOA:
		return reply{answer: []dns.RR{z.soa(name)}}
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
		if n > 2 {
			return reply{unknown: true}
		}
		return externalName(q, svc)
	}
	own := strings.Join(labels[n-2:], ".") + ".svc." + z.domain
	switch rest := labels[:n-2]; len(rest) {
	case 0:
		return z.service(q, svc, own, nil)
	case 1:
		if protocol, is := strings.CutPrefix(rest[0], "_"); is {
			return reply{unknown: !hasPorts(svc, protocol)}
		}
		return endpoint(q, svc, rest[0])
	case 2:
		port, named := strings.CutPrefix(rest[0], "_")
		protocol, also := strings.CutPrefix(rest[1], "_")
		if named && also && port != "" {
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

// soa is the record of a zone; its own time to live and the last number are how long may be remembered what there is not.
func (z *zone) soa(apex string) dns.RR {
	return &dns.SOA{
		Hdr: header(apex, dns.TypeSOA),
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
