package dns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/coracle-k8s/coracle/guard"
)

const (
	// patience is how long one server may take, and deadline all of them together.
	patience = 2 * time.Second
	deadline = 5 * time.Second
	// atOnce is how many questions may be under way to other servers.
	atOnce = 1000
	// packet is the largest datagram that is not split on any usual network.
	packet = 1232
)

var (
	errNoResolvers = errors.New("the node has no resolvers")
	errBusy        = errors.New("too many questions are under way")
)

// forwarder asks the node's resolvers. The same question is under way once:
// others wait for its answer. So a resolver that asks back, in a circle, waits
// for itself until the deadline, and the circle does not spin.
type forwarder struct {
	resolvers *resolvers
	cache     answers
	metrics   *metrics

	mu       sync.Mutex
	underWay map[key]*asking
	// last is the server that answered last, to be asked first.
	last netip.AddrPort
}

type asking struct {
	done   chan struct{}
	answer *dns.Msg
	err    error
}

// ask returns an answer to a question with the answer's own ID. It may be shared: copy it to change it.
func (f *forwarder) ask(ctx context.Context, question *dns.Msg) (*dns.Msg, error) {
	k := keyOf(question)
	if answer := f.cache.get(k, time.Now()); answer != nil {
		f.metrics.hits.Inc()
		return answer, nil
	}
	f.mu.Lock()
	a, same := f.underWay[k]
	if !same {
		if len(f.underWay) >= atOnce {
			f.mu.Unlock()
			return nil, errBusy
		}
		a = &asking{done: make(chan struct{})}
		f.underWay[k] = a
		guard.GoThen("asking a resolver", func() (err error) {
			a.answer, err = f.resolve(k, question.Copy())
			return err
		}, func(err error) {
			a.err = err
			f.mu.Lock()
			delete(f.underWay, k)
			f.mu.Unlock()
			close(a.done)
		})
	}
	f.mu.Unlock()
	select {
	case <-a.done:
		return a.answer, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// resolve asks one server after the other, the last good one first.
func (f *forwarder) resolve(k key, question *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	var best *dns.Msg
	failure := errNoResolvers
	for _, server := range f.order() {
		answer, err := exchange(ctx, question, server)
		if err != nil {
			failure = fmt.Errorf("asking %s: %w", server, err)
			f.metrics.failures.Inc()
			continue
		}
		best, failure = answer, nil
		if answer.Rcode == dns.RcodeServerFailure || answer.Rcode == dns.RcodeRefused {
			continue
		}
		f.mu.Lock()
		f.last = server
		f.mu.Unlock()
		break
	}
	if best != nil {
		f.cache.put(k, best, time.Now())
	}
	return best, failure
}

func (f *forwarder) order() []netip.AddrPort {
	servers := f.resolvers.list()
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, server := range servers {
		if server == f.last && i > 0 {
			ordered := append([]netip.AddrPort{server}, servers[:i]...)
			return append(ordered, servers[i+1:]...)
		}
	}
	return servers
}

// exchange asks one server, by TCP when the answer is too large for a datagram.
func exchange(ctx context.Context, question *dns.Msg, server netip.AddrPort) (*dns.Msg, error) {
	outgoing := question.Copy()
	outgoing.Id = dns.Id()
	outgoing.RecursionDesired = true
	dnssec := false
	if opt := question.IsEdns0(); opt != nil {
		dnssec = opt.Do()
	}
	// What the client's own OPT record says is between it and us.
	outgoing.Extra = nil
	outgoing.SetEdns0(packet, dnssec)
	client := &dns.Client{Net: "udp", Timeout: patience, UDPSize: packet}
	answer, _, err := client.ExchangeContext(ctx, outgoing, server.String())
	if err == nil && answer.Truncated {
		client.Net = "tcp"
		if full, _, tcpErr := client.ExchangeContext(ctx, outgoing, server.String()); tcpErr == nil {
			answer = full
		}
	}
	return answer, err
}
