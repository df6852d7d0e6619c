package dns

import (
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	// cacheSize is how many answers are kept.
	cacheSize = 10000
	// Answers are kept for no longer than these, whatever they say themselves.
	longestAnswer = time.Hour
	longestDenial = 30 * time.Minute
	// shortest keeps an answer that says "do not keep" through a burst of questions.
	shortest = 5 * time.Second
)

// key is a question as far as it makes a difference for the answer.
type key struct {
	name  string
	kind  uint16
	class uint16
	// dnssec asks for signatures, unchecked for answers that may be wrong.
	dnssec, unchecked bool
}

func keyOf(m *dns.Msg) key {
	q := m.Question[0]
	k := key{name: strings.ToLower(q.Name), kind: q.Qtype, class: q.Qclass, unchecked: m.CheckingDisabled}
	if opt := m.IsEdns0(); opt != nil {
		k.dnssec = opt.Do()
	}
	return k
}

// answers keeps answers of other servers. It is safe for concurrent use.
type answers struct {
	mu      sync.Mutex
	entries map[key]entry
}

type entry struct {
	message *dns.Msg
	stored  time.Time
	expires time.Time
}

// get returns a copy of an answer with what is left of its time, or nil.
func (a *answers) get(k key, now time.Time) *dns.Msg {
	a.mu.Lock()
	e, known := a.entries[k]
	if known && !now.Before(e.expires) {
		delete(a.entries, k)
		known = false
	}
	a.mu.Unlock()
	if !known {
		return nil
	}
	m := e.message.Copy()
	age := uint32(now.Sub(e.stored) / time.Second)
	each(m, func(h *dns.RR_Header) { h.Ttl -= min(h.Ttl, age) })
	return m
}

// put keeps an answer that may be kept. The message must not change after.
func (a *answers) put(k key, m *dns.Msg, now time.Time) {
	life := lifetime(m)
	if life <= 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.entries == nil {
		a.entries = map[key]entry{}
	}
	for other, e := range a.entries {
		if len(a.entries) < cacheSize {
			break
		}
		// Any will do: the map's order is as good as random.
		if other != k || e.expires.Before(now) {
			delete(a.entries, other)
		}
	}
	a.entries[k] = entry{message: m, stored: now, expires: now.Add(life)}
}

// lifetime is how long an answer may be kept: not at all for failures and parts.
func lifetime(m *dns.Msg) time.Duration {
	if m.Truncated || m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return 0
	}
	if len(m.Answer) == 0 || m.Rcode == dns.RcodeNameError {
		for _, record := range m.Ns {
			if soa, ok := record.(*dns.SOA); ok {
				return bounded(min(soa.Minttl, soa.Hdr.Ttl), longestDenial)
			}
		}
		return 0
	}
	least := uint32(longestAnswer / time.Second)
	each(m, func(h *dns.RR_Header) { least = min(least, h.Ttl) })
	return bounded(least, longestAnswer)
}

func bounded(seconds uint32, longest time.Duration) time.Duration {
	return max(shortest, min(time.Duration(seconds)*time.Second, longest))
}

func each(m *dns.Msg, do func(*dns.RR_Header)) {
	for _, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, record := range section {
			if h := record.Header(); h.Rrtype != dns.TypeOPT {
				do(h)
			}
		}
	}
}
