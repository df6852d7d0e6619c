package dns

import (
	"testing"

	"github.com/miekg/dns"
)

func TestAnswersTakeTurns(t *testing.T) {
	s := newServer(t)
	for _, test := range []struct {
		name  string
		kind  uint16
		first int
	}{
		{"db.default.svc.cluster.local.", dns.TypeA, 0},
		{"_sql._tcp.db.default.svc.cluster.local.", dns.TypeSRV, 0},
		{"near.default.svc.cluster.local.", dns.TypeA, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			firsts := map[string]int{}
			for range 200 {
				answer := s.respond(t.Context(), ask(test.name, test.kind))
				if len(answer.Answer) <= test.first {
					t.Fatalf("answer: %v", answer)
				}
				if test.first > 0 && answer.Answer[0].Header().Rrtype != dns.TypeCNAME {
					t.Fatalf("the alias is not first: %v", answer.Answer)
				}
				firsts[answer.Answer[test.first].String()]++
			}
			t.Logf("first: %v", firsts)
			if len(firsts) < 2 && test.first == 0 {
				t.Errorf("always the same first: %v", firsts)
			}
		})
	}
}
