package dns

import (
	"math/rand/v2"

	"github.com/miekg/dns"
)

// takeTurns changes the order among records of a kind by chance: most clients take the first address that they get. By chance and
// not in turn, as clients ask for several kinds in turn themselves. Aliases stay where they are.
func takeTurns(records []dns.RR) {
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeSRV, dns.TypeMX} {
		var places []int
		for i, record := range records {
			if record.Header().Rrtype == kind {
				places = append(places, i)
			}
		}
		rand.Shuffle(len(places), func(i, j int) {
			a, b := places[i], places[j]
			records[a], records[b] = records[b], records[a]
		})
	}
}
