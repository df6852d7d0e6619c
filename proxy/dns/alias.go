package dns

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/coracle-k8s/coracle/proxy/service"
)

// maxAliases is how many Services that stand for one another are followed.
const maxAliases = 8

// externalName answers with the name that the Service stands for.
func externalName(q dns.Question, svc *service.Service) reply {
	target := dns.Fqdn(svc.ExternalName)
	if _, valid := dns.IsDomainName(target); !valid || target == "." {
		return reply{}
	}
	if _, err := netip.ParseAddr(svc.ExternalName); err == nil {
		return reply{}
	}
	r := reply{answer: []dns.RR{&dns.CNAME{Hdr: header(q.Name, dns.TypeCNAME), Target: target}}}
	if !wantsAlias(q.Qtype) {
		r.alias = target
	}
	return r
}

// wantsAlias says whether a question is for the alias itself rather than for what is behind it.
func wantsAlias(kind uint16) bool { return kind == dns.TypeCNAME || kind == dns.TypeANY }

// follow adds what there is under a name of the cluster that an answer ends with, and so on. Names that lead to one another in a
// circle end where it closes.
func (z *zone) follow(q dns.Question, r reply, s *service.Snapshot) reply {
	seen := []string{strings.ToLower(q.Name)}
	for r.alias != "" && dns.IsSubDomain(z.domain, strings.ToLower(r.alias)) {
		q.Name, r.alias = r.alias, ""
		name := strings.ToLower(q.Name)
		if slices.Contains(seen, name) || len(seen) > maxAliases {
			return r
		}
		seen = append(seen, name)
		next := z.forward(q, name, s)
		next.answer, next.extra = slices.Concat(r.answer, next.answer), slices.Concat(r.extra, next.extra)
		r = next
	}
	return r
}
