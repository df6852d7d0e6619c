package dns

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

func testClients(pod func(netip.Addr) bool) *clients {
	return &clients{
		inside: []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16"), netip.MustParsePrefix("10.96.0.0/16")}, pod: pod,
		own:     func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("192.0.2.1")} },
		waiting: make(chan struct{}, waiters),
	}
}

func TestOnlyTheClusterIsAnswered(t *testing.T) {
	for client, want := range map[string]bool{
		"10.244.1.5": true, "10.96.0.10": true, "127.0.0.1": true, "192.0.2.1": true, "10.0.0.7": true,
		"192.0.2.99": false, "198.51.100.1": false, "0.0.0.0": false,
	} {
		t.Run(client, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := testClients(func(a netip.Addr) bool { return a.String() == "10.0.0.7" })
				if got := c.allowed(t.Context(), netip.MustParseAddr(client)); got != want {
					t.Errorf("allowed: %v", got)
				}
			})
		})
	}
}

func TestAPodThatIsNotKnownYetWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c := testClients(func(netip.Addr) bool { return time.Since(began) > 500*time.Millisecond })
		if !c.allowed(t.Context(), netip.MustParseAddr("10.0.0.7")) {
			t.Errorf("refused after %s", time.Since(began))
		}
	})
}

func TestStrangersDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testClients(func(netip.Addr) bool { return false })
		done := make(chan time.Duration, 10*waiters)
		for range cap(done) {
			go func() {
				began := time.Now()
				if c.allowed(t.Context(), netip.MustParseAddr("198.51.100.1")) {
					t.Error("a stranger is allowed")
				}
				done <- time.Since(began)
			}()
		}
		waited := 0
		for range cap(done) {
			if <-done > 0 {
				waited++
			}
		}
		if waited != waiters {
			t.Errorf("%d waited, want %d", waited, waiters)
		}
	})
}

// TestStrangersGetNoAnswer asks by both transports from an address that is none of the cluster's.
func TestStrangersGetNoAnswer(t *testing.T) {
	s := newServer(t)
	s.cfg.Address = netip.MustParseAddr("127.0.0.1")
	s.clients.inside, s.clients.own = nil, func() []netip.Addr { return nil }
	s.clients.waiting = nil // nobody waits
	stranger := netip.MustParseAddr("198.51.100.1")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, transport := range []string{"udp", "tcp"} {
		w := &writer{remote: net.UDPAddrFromAddrPort(netip.AddrPortFrom(stranger, 9))}
		if transport == "tcp" {
			w.remote = net.TCPAddrFromAddrPort(netip.AddrPortFrom(stranger, 9))
		}
		s.serve(ctx, w, ask("web.default.svc.cluster.local.", dns.TypeA))
		if w.written != nil || w.closed != (transport == "tcp") {
			t.Errorf("%s: wrote %v, closed: %v", transport, w.written, w.closed)
		}
	}
}

// writer is a client's end.
type writer struct {
	dns.ResponseWriter
	remote  net.Addr
	written *dns.Msg
	closed  bool
}

func (w *writer) RemoteAddr() net.Addr      { return w.remote }
func (w *writer) WriteMsg(m *dns.Msg) error { w.written = m; return nil }
func (w *writer) Close() error              { w.closed = true; return nil }
