// Package dns is the cluster's DNS server on one node: names of Services from
// the proxy's picture of them, all others from the node's own resolvers.
package dns

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/proxy/service"
)

// Config is what a server works with.
type Config struct {
	// Tracker has the pictures of Services, and Synced are done when it has all that there was at the start.
	Tracker *service.Tracker
	Synced  []cache.DoneChecker
	// Domain is the cluster's domain: cluster.local unless set.
	Domain string
	// Address is the one that clients know, in the Service network. It must be one of the machine's when Rules is closed.
	Address netip.Addr
	// Port is where it listens at the Address, for UDP and TCP, once Rules is closed, or at once if it is nil: rules lead there.
	Port  uint16
	Rules <-chan struct{}
	// Inside are the networks of Pods and Services. Answered are they, the node itself and its Pods, in no matter which network;
	// nobody else is, whatever the rules let through.
	Inside []netip.Prefix
	// ResolvConf is the file with the node's resolvers: /etc/resolv.conf unless set.
	ResolvConf string
}

// Server answers questions. It is ready when it knows all Services that there were at the start.
type Server struct {
	cfg       Config
	zone      zone
	clients   clients
	forwarder *forwarder
	metrics   *metrics
	ready     chan struct{}
	setReady  func()
}

// New returns a server. It starts nothing.
func New(cfg Config) (*Server, error) {
	if cfg.Domain == "" {
		cfg.Domain = "cluster.local"
	}
	if _, valid := dns.IsDomainName(cfg.Domain); !valid {
		return nil, fmt.Errorf("cluster domain %q is not a domain name", cfg.Domain)
	}
	if cfg.ResolvConf == "" {
		cfg.ResolvConf = "/etc/resolv.conf"
	}
	metrics := newMetrics()
	ready := make(chan struct{})
	return &Server{
		cfg:     cfg,
		zone:    zone{domain: strings.ToLower(dns.Fqdn(cfg.Domain)), address: cfg.Address, inside: cfg.Inside},
		clients: clients{inside: cfg.Inside, pod: cfg.Tracker.HasPod, own: ownAddresses, waiting: make(chan struct{}, waiters)},
		forwarder: &forwarder{
			resolvers: &resolvers{path: cfg.ResolvConf, self: cfg.Address},
			metrics:   metrics, underWay: map[key]*asking{},
		},
		metrics: metrics, ready: ready, setReady: sync.OnceFunc(func() { close(ready) }),
	}, nil
}

// Ready is closed when the server answers.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Collectors are the server's metrics, for the caller to register.
func (s *Server) Collectors() []prometheus.Collector { return s.metrics.collectors() }

// Run answers questions until the context ends.
func (s *Server) Run(ctx context.Context) error {
	if err := s.forwarder.resolvers.load(); err != nil {
		return err
	}
	if !cache.WaitFor(ctx, "", s.cfg.Synced...) {
		return nil
	}
	if s.cfg.Rules != nil {
		select {
		case <-s.cfg.Rules:
		case <-ctx.Done():
			return nil
		}
	}
	servers, err := s.listen(ctx)
	if err != nil {
		return err
	}
	tasks := []guard.Task{{Work: "following resolvers", Run: func(ctx context.Context) error {
		if err := s.forwarder.resolvers.watch(ctx); err != nil {
			klog.FromContext(ctx).Error(err, "The node's resolvers are not followed")
		}
		<-ctx.Done()
		return nil
	}}}
	for _, server := range servers {
		tasks = append(tasks, guard.Task{Work: "serving DNS", Run: func(ctx context.Context) error { return serveUntil(ctx, server) }})
	}
	s.setReady()
	return guard.Together(ctx, tasks...)
}

// listen opens both transports.
func (s *Server) listen(ctx context.Context) ([]*dns.Server, error) {
	address := netip.AddrPortFrom(s.cfg.Address, s.cfg.Port)
	packets, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(address))
	if err != nil {
		return nil, fmt.Errorf("listening for DNS: %w", err)
	}
	streams, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(address))
	if err != nil {
		packets.Close()
		return nil, fmt.Errorf("listening for DNS: %w", err)
	}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		guard.Do("answering DNS", func() { s.serve(ctx, w, m) })
	})
	return []*dns.Server{{PacketConn: packets, UDPSize: packet, Handler: handler}, {Listener: streams, Handler: handler}}, nil
}

// serveUntil serves until the context ends, and closes what the server listens on.
func serveUntil(ctx context.Context, server *dns.Server) error {
	end := func() {
		_ = server.Shutdown() // not yet begun is as good as ended
		if server.PacketConn != nil {
			server.PacketConn.Close()
		} else {
			server.Listener.Close()
		}
	}
	defer end()
	defer context.AfterFunc(ctx, func() { guard.Insist("closing DNS", end) })()
	if err := server.ActivateAndServe(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("serving DNS: %w", err)
	}
	return nil
}

// serve answers one message. A panic is an answer like others: that there was a failure.
func (s *Server) serve(ctx context.Context, w dns.ResponseWriter, question *dns.Msg) {
	_, streamed := w.RemoteAddr().(*net.TCPAddr)
	if !s.clients.allowed(ctx, addressOf(w.RemoteAddr())) {
		s.metrics.strangers.Inc()
		if streamed {
			w.Close()
		}
		return
	}
	answer := s.respond(ctx, question)
	if answer == nil {
		return
	}
	fit(answer, question, streamed)
	s.metrics.answered(answer, streamed)
	if err := w.WriteMsg(answer); err != nil {
		klog.FromContext(ctx).V(4).Info("Answering a DNS question", "client", w.RemoteAddr(), "err", err)
	}
}

func (s *Server) respond(ctx context.Context, question *dns.Msg) (answer *dns.Msg) {
	defer func() {
		if r := recover(); r != nil {
			guard.Recovered("answering DNS", r)
			answer = new(dns.Msg).SetRcode(question, dns.RcodeServerFailure)
		}
	}()
	if answer = s.handle(ctx, question); answer != nil {
		takeTurns(answer.Answer)
		takeTurns(answer.Extra)
	}
	return answer
}
