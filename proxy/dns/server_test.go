package dns

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/coracle-k8s/coracle/await"
)

// upstream is a resolver that knows every name under example.com.
type upstream struct {
	address netip.AddrPort
	asked   atomic.Int32
}

func newUpstream(t *testing.T, answer func(*dns.Msg) *dns.Msg) *upstream {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp4", conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{address: conn.LocalAddr().(*net.UDPAddr).AddrPort()}
	for _, server := range []*dns.Server{{PacketConn: conn}, {Listener: listener}} {
		server.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
			u.asked.Add(1)
			m := answer(q)
			if _, tcp := w.RemoteAddr().(*net.TCPAddr); !tcp {
				m.Truncate(dns.MinMsgSize)
			}
			w.WriteMsg(m)
		})
		go server.ActivateAndServe()
		t.Cleanup(func() { server.Shutdown() })
	}
	return u
}

func known(q *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	for i := range 60 {
		a := &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(192, 0, 2, byte(i))}
		m.Answer = append(m.Answer, a)
		if !strings.HasPrefix(strings.ToLower(q.Question[0].Name), "big.") {
			break
		}
	}
	return m
}

func newServer(t *testing.T, resolvers ...netip.AddrPort) *Server {
	t.Helper()
	s, err := New(Config{
		Tracker: testTracker(), Address: netip.MustParseAddr("10.96.0.10"),
		Inside:     []netip.Prefix{netip.MustParsePrefix("10.96.0.0/12"), netip.MustParsePrefix("fd00::/62")},
		ResolvConf: filepath.Join(t.TempDir(), "resolv.conf"), Port: freePort(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.forwarder.resolvers.servers = resolvers
	return s
}

func freePort(t *testing.T) uint16 {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return uint16(listener.Addr().(*net.TCPAddr).Port)
}

func ask(name string, kind uint16) *dns.Msg { return new(dns.Msg).SetQuestion(name, kind) }

func TestServesBothTransportsUntilTheContextEnds(t *testing.T) {
	s := newServer(t)
	s.cfg.Address = netip.MustParseAddr("127.0.0.1")
	rules := make(chan struct{})
	s.cfg.Rules = rules
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.cfg.Port)); err == nil {
		conn.Close()
		t.Error("it listens before there are rules")
	}
	close(rules)
	await.Receive(t, s.Ready(), "DNS was ready")
	for _, transport := range []string{"udp", "tcp"} {
		client := &dns.Client{Net: transport}
		answer, _, err := client.Exchange(ask("Web.default.svc.cluster.local.", dns.TypeA), fmt.Sprintf("127.0.0.1:%d", s.cfg.Port))
		if err != nil || len(answer.Answer) != 1 || answer.Answer[0].Header().Name != "Web.default.svc.cluster.local." || !answer.Authoritative {
			t.Errorf("%s: %v, %v", transport, answer, err)
		}
	}
	cancel()
	if err := await.Receive(t, done, "DNS stopped"); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestOtherNamesAreAskedOnceAndKept(t *testing.T) {
	u := newUpstream(t, known)
	s := newServer(t, u.address)
	for _, name := range []string{"www.example.com.", "WWW.example.COM.", "www.example.com."} {
		answer := s.handle(t.Context(), ask(name, dns.TypeA))
		if answer.Rcode != dns.RcodeSuccess || len(answer.Answer) != 1 || answer.Answer[0].Header().Name != name || answer.Authoritative {
			t.Errorf("%s: %v", name, answer)
		}
	}
	if asked := u.asked.Load(); asked != 1 {
		t.Errorf("asked %d times, want 1", asked)
	}
}

func TestExternalNameComesWithTheAddress(t *testing.T) {
	u := newUpstream(t, known)
	s := newServer(t, u.address)
	answer := s.handle(t.Context(), ask("away.default.svc.cluster.local.", dns.TypeA))
	if len(answer.Answer) != 2 || answer.Answer[0].Header().Rrtype != dns.TypeCNAME || answer.Answer[1].Header().Rrtype != dns.TypeA {
		t.Errorf("answer: %v", answer)
	}
}

// TestDenials checks that what is denied is denied as a whole: code, and the record by which resolvers remember it.
func TestDenials(t *testing.T) {
	const svc = ".default.svc.cluster.local."
	s := newServer(t, newUpstream(t, func(q *dns.Msg) *dns.Msg {
		m := new(dns.Msg).SetRcode(q, dns.RcodeNameError)
		m.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: "com.", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 60}, Ns: "a.", Mbox: "b.", Minttl: 60}}
		return m
	}).address)
	for _, test := range []struct {
		name    string
		kind    uint16
		code    int
		answers int
		// zone is whose SOA record comes with it.
		zone string
	}{
		{"web" + svc, dns.TypeMX, dns.RcodeSuccess, 0, "cluster.local."},
		{"Web" + svc, dns.TypeA, dns.RcodeSuccess, 1, ""},
		{"_tcp.web" + svc, dns.TypeA, dns.RcodeSuccess, 0, "cluster.local."},
		{"none" + svc, dns.TypeA, dns.RcodeNameError, 0, "cluster.local."},
		{"svc.cluster.local.", dns.TypeA, dns.RcodeSuccess, 0, "cluster.local."},
		{"near" + svc, dns.TypeCNAME, dns.RcodeSuccess, 1, ""},
		{"near" + svc, dns.TypeMX, dns.RcodeSuccess, 1, "cluster.local."},
		{"lost" + svc, dns.TypeA, dns.RcodeNameError, 1, "cluster.local."},
		{"away" + svc, dns.TypeA, dns.RcodeNameError, 1, "com."},
		{"99.0.97.10.in-addr.arpa.", dns.TypePTR, dns.RcodeNameError, 0, "97.10.in-addr.arpa."},
		{"20.0.96.10.in-addr.arpa.", dns.TypeA, dns.RcodeSuccess, 0, "96.10.in-addr.arpa."},
		{"5.0.244.10.in-addr.arpa.", dns.TypeA, dns.RcodeSuccess, 0, "5.0.244.10.in-addr.arpa."},
		{"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.", dns.TypePTR, dns.RcodeNameError, 0, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa."},
		{"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.4.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.", dns.TypePTR, dns.RcodeNameError, 0, "com."},
	} {
		answer := s.handle(t.Context(), ask(test.name, test.kind))
		zone := ""
		if len(answer.Ns) == 1 {
			zone = answer.Ns[0].Header().Name
			if soa := answer.Ns[0].(*dns.SOA); soa.Hdr.Ttl != soa.Minttl {
				t.Errorf("%s: remembered for %d or %d seconds", test.name, soa.Hdr.Ttl, soa.Minttl)
			}
		}
		if answer.Rcode != test.code || len(answer.Answer) != test.answers || zone != test.zone {
			t.Errorf("%s %s: %v, want code %d, %d records, SOA of %q", dns.TypeToString[test.kind], test.name, answer, test.code, test.answers, test.zone)
		}
	}
}

func TestAliasOfWhatNobodyAnswersFor(t *testing.T) {
	s := newServer(t)
	question := ask("away.default.svc.cluster.local.", dns.TypeA)
	if answer := s.handle(t.Context(), question); answer.Rcode != dns.RcodeServerFailure || len(answer.Answer) != 1 {
		t.Errorf("answer: %v, want the alias and a failure: nobody knows what is behind it", answer)
	}
	question.RecursionDesired = false
	if answer := s.handle(t.Context(), question); answer.Rcode != dns.RcodeSuccess || len(answer.Answer) != 1 {
		t.Errorf("answer: %v, want the alias alone", answer)
	}
}

func TestLargeAnswers(t *testing.T) {
	u := newUpstream(t, known)
	s := newServer(t, u.address)
	question := ask("big.example.com.", dns.TypeA)
	full := s.handle(t.Context(), question)
	if len(full.Answer) != 60 {
		t.Fatalf("%d records, want all 60: by TCP where needed", len(full.Answer))
	}
	for _, test := range []struct {
		name      string
		size      uint16
		streamed  bool
		limit     int
		truncated bool
	}{
		{"plain datagram", 0, false, 512, true},
		{"datagram with EDNS0", 4096, false, 1232, false},
		{"small EDNS0", 600, false, 600, true},
		{"stream", 0, true, 65535, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			question := question.Copy()
			if test.size > 0 {
				question.SetEdns0(test.size, true)
			}
			answer := full.Copy()
			fit(answer, question, test.streamed)
			if answer.Len() > test.limit || answer.Truncated != test.truncated {
				t.Errorf("%d bytes, truncated %v", answer.Len(), answer.Truncated)
			}
			if opt := answer.IsEdns0(); (opt != nil) != (test.size > 0) {
				t.Errorf("OPT record: %v", opt)
			}
		})
	}
}

func TestSecondResolverIsAskedWhenTheFirstFails(t *testing.T) {
	broken := newUpstream(t, func(q *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure) })
	good := newUpstream(t, known)
	s := newServer(t, broken.address, good.address)
	for _, name := range []string{"a.example.com.", "b.example.com."} {
		if answer := s.handle(t.Context(), ask(name, dns.TypeA)); answer.Rcode != dns.RcodeSuccess {
			t.Errorf("answer: %v", answer)
		}
	}
	if asked := broken.asked.Load(); asked != 1 {
		t.Errorf("the broken one was asked %d times, want 1", asked)
	}
}

func TestRefusals(t *testing.T) {
	s := newServer(t)
	notify := ask("web.default.svc.cluster.local.", dns.TypeA)
	notify.Opcode = dns.OpcodeNotify
	two := ask("web.default.svc.cluster.local.", dns.TypeA)
	two.Question = append(two.Question, two.Question[0])
	future := ask("web.default.svc.cluster.local.", dns.TypeA)
	future.SetEdns0(1232, false).IsEdns0().SetVersion(1)
	chaos := ask("version.bind.", dns.TypeTXT)
	chaos.Question[0].Qclass = dns.ClassCHAOS
	iterative := ask("www.example.com.", dns.TypeA)
	iterative.RecursionDesired = false
	for name, test := range map[string]struct {
		question *dns.Msg
		code     int
	}{
		"other operations":       {notify, dns.RcodeNotImplemented},
		"two questions":          {two, dns.RcodeFormatError},
		"a later EDNS":           {future, dns.RcodeBadVers},
		"other classes":          {chaos, dns.RcodeRefused},
		"zone transfers":         {ask("cluster.local.", dns.TypeAXFR), dns.RcodeRefused},
		"names of others":        {iterative, dns.RcodeRefused},
		"nobody to ask":          {ask("www.example.com.", dns.TypeA), dns.RcodeServerFailure},
		"no such name":           {ask("none.default.svc.cluster.local.", dns.TypeA), dns.RcodeNameError},
		"nothing under the name": {ask("web.default.svc.cluster.local.", dns.TypeMX), dns.RcodeSuccess},
	} {
		t.Run(name, func(t *testing.T) {
			answer := s.handle(t.Context(), test.question)
			if answer.Rcode != test.code || len(answer.Answer) > 0 || answer.Id != test.question.Id {
				t.Errorf("answer: %v", answer)
			}
			if ours := test.code == dns.RcodeNameError || test.code == dns.RcodeSuccess; ours != (len(answer.Ns) == 1) {
				t.Errorf("authority: %v", answer.Ns)
			}
		})
	}
}

func TestFollowsTheNodesResolvers(t *testing.T) {
	s := newServer(t)
	r := s.forwarder.resolvers
	write := func(content string) {
		next := r.path + ".next"
		if err := os.WriteFile(next, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, r.path); err != nil {
			t.Fatal(err)
		}
	}
	write("nameserver 192.0.2.1\nnameserver 10.96.0.10\nnameserver 192.0.2.1\n")
	if err := r.load(); err != nil {
		t.Fatal(err)
	}
	if servers := fmt.Sprint(r.list()); servers != "[192.0.2.1:53]" {
		t.Errorf("servers %s: neither ourselves nor one twice", servers)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.watch(ctx) }()
	deadline := time.Now().Add(await.Limit)
	for fmt.Sprint(r.list()) != "[192.0.2.2:53]" {
		if time.Now().After(deadline) {
			t.Fatalf("servers %v after the change", r.list())
		}
		// Written again and again, as the watch may not have begun.
		write("nameserver 192.0.2.2\n")
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := await.Receive(t, done, "the watch of the file ended"); err != nil {
		t.Error(err)
	}
}

func TestKeptAnswersAge(t *testing.T) {
	var cache answers
	question := ask("www.example.com.", dns.TypeA)
	now := time.Now()
	cache.put(keyOf(question), known(question), now)
	if m := cache.get(keyOf(question), now.Add(20*time.Second)); m == nil || m.Answer[0].Header().Ttl != 40 {
		t.Errorf("after 20 s: %v", m)
	}
	if m := cache.get(keyOf(question), now.Add(60*time.Second)); m != nil {
		t.Errorf("after 60 s: %v", m)
	}
	cache.put(keyOf(question), new(dns.Msg).SetRcode(question, dns.RcodeServerFailure), now)
	if m := cache.get(keyOf(question), now); m != nil {
		t.Errorf("a failure was kept: %v", m)
	}
	for i := range cacheSize + 100 {
		q := ask(fmt.Sprintf("n%d.example.com.", i), dns.TypeA)
		cache.put(keyOf(q), known(q), now)
	}
	if len(cache.entries) > cacheSize {
		t.Errorf("%d answers are kept", len(cache.entries))
	}
}

// FuzzHandle checks that whatever comes in, what goes out is a well-formed answer to it.
func FuzzHandle(f *testing.F) {
	for _, name := range []string{"web.default.svc.cluster.local.", "_http._tcp.web.default.svc.cluster.local.", "1.0.96.10.in-addr.arpa.", "10-0-0-1.ns.pod.cluster.local.", "."} {
		for _, kind := range []uint16{dns.TypeA, dns.TypeSRV, dns.TypePTR, dns.TypeANY} {
			packed, err := ask(name, kind).SetEdns0(1232, true).Pack()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(packed)
		}
	}
	s, err := New(Config{Tracker: testTracker(), Address: netip.MustParseAddr("10.96.0.10")})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		question := new(dns.Msg)
		if question.Unpack(packed) != nil {
			return
		}
		answer := s.handle(t.Context(), question)
		if answer == nil {
			return
		}
		fit(answer, question, false)
		out, err := answer.Pack()
		if err != nil {
			t.Fatalf("packing the answer to %v: %v", question, err)
		}
		if answer.Id != question.Id || !answer.Response || len(out) > dns.MaxMsgSize {
			t.Errorf("answer to %v: %v", question, answer)
		}
	})
}
