package dns

import (
	"cmp"
	"context"

	"github.com/miekg/dns"
	"k8s.io/klog/v2"
)

// handle makes the answer to a message, of any size. Nil means that none is due.
func (s *Server) handle(ctx context.Context, question *dns.Msg) *dns.Msg {
	if question.Response {
		return nil
	}
	if question.Opcode != dns.OpcodeQuery {
		return new(dns.Msg).SetRcode(question, dns.RcodeNotImplemented)
	}
	if len(question.Question) != 1 {
		return new(dns.Msg).SetRcode(question, dns.RcodeFormatError)
	}
	if opt := question.IsEdns0(); opt != nil && opt.Version() != 0 {
		return new(dns.Msg).SetRcode(question, dns.RcodeBadVers)
	}
	q := question.Question[0]
	if q.Qclass != dns.ClassINET && q.Qclass != dns.ClassANY || q.Qtype == dns.TypeAXFR || q.Qtype == dns.TypeIXFR {
		return new(dns.Msg).SetRcode(question, dns.RcodeRefused)
	}
	r := s.zone.answer(q, s.cfg.Tracker.Snapshot())
	if r.elsewhere {
		return s.relay(ctx, question)
	}
	answer := new(dns.Msg).SetReply(question)
	answer.Authoritative, answer.RecursionAvailable = true, true
	answer.Answer, answer.Extra = r.answer, r.extra
	switch {
	case r.alias != "":
		s.follow(ctx, question, answer, r.alias)
	case r.denies(q.Qtype):
		answer.Ns = []dns.RR{s.zone.soa(cmp.Or(r.apex, s.zone.domain))}
	}
	if r.unknown {
		answer.Rcode = dns.RcodeNameError
	}
	return answer
}

// relay answers with what the node's resolvers say.
func (s *Server) relay(ctx context.Context, question *dns.Msg) *dns.Msg {
	if !question.RecursionDesired {
		return new(dns.Msg).SetRcode(question, dns.RcodeRefused)
	}
	found, err := s.forwarder.ask(ctx, question)
	if err != nil {
		klog.FromContext(ctx).V(4).Info("Asking the node's resolvers", "name", question.Question[0].Name, "err", err)
		failure := new(dns.Msg).SetRcode(question, dns.RcodeServerFailure)
		failure.RecursionAvailable = true
		return failure
	}
	answer := found.Copy()
	answer.Id, answer.RecursionDesired, answer.RecursionAvailable = question.Id, question.RecursionDesired, true
	respell(answer, question.Question[0].Name)
	answer.Question = question.Question
	answer.Extra = withoutOPT(answer.Extra)
	return answer
}

// respell gives records the spelling of the question's name: some clients
// mix upper and lower case to tell true answers from forged ones.
func respell(answer *dns.Msg, name string) {
	if len(answer.Question) == 0 || answer.Question[0].Name == name {
		return
	}
	was := answer.Question[0].Name
	for _, record := range answer.Answer {
		if record.Header().Name == was {
			record.Header().Name = name
		}
	}
}

// follow completes an answer that ends with an alias of a name elsewhere. What the node's resolvers say of that name is then
// what the whole answer says: https://www.rfc-editor.org/rfc/rfc6604
func (s *Server) follow(ctx context.Context, question, answer *dns.Msg, name string) {
	if !question.RecursionDesired {
		return
	}
	found, err := s.forwarder.ask(ctx, new(dns.Msg).SetQuestion(name, question.Question[0].Qtype))
	if err != nil || found.Rcode != dns.RcodeSuccess && found.Rcode != dns.RcodeNameError {
		answer.Rcode = dns.RcodeServerFailure
		return
	}
	found = found.Copy()
	answer.Rcode, answer.Ns = found.Rcode, found.Ns
	answer.Answer = append(answer.Answer, found.Answer...)
}

// fit makes an answer as large as the client takes, and repeats its OPT record.
func fit(answer, question *dns.Msg, streamed bool) {
	size := dns.MinMsgSize
	if opt := question.IsEdns0(); opt != nil {
		size = max(size, min(int(opt.UDPSize()), packet))
		answer.Extra = withoutOPT(answer.Extra)
		ours := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT}}
		ours.SetUDPSize(packet)
		if opt.Do() {
			ours.SetDo()
		}
		if opt.Version() != 0 {
			ours.SetExtendedRcode(uint16(dns.RcodeBadVers))
		}
		answer.Extra = append(answer.Extra, ours)
	}
	if streamed {
		size = dns.MaxMsgSize
	}
	answer.Compress = true
	answer.Truncate(size)
}

func withoutOPT(extra []dns.RR) []dns.RR {
	kept := make([]dns.RR, 0, len(extra))
	for _, record := range extra {
		if record.Header().Rrtype != dns.TypeOPT {
			kept = append(kept, record)
		}
	}
	return kept
}
