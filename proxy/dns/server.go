// Package dns is the cluster's DNS server on one node: names of Services from
// the proxy's picture of them, all others from the node's own resolvers.
package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/proxy/service"
)

// Config is what a server works with.
type Config struct {
	// Tracker has the pictures of Services, and Synced are done when it has all that there was at the start.
	Tracker *service.Tracker
	Synced  []cache.DoneChecker
	// Domain is the cluster's domain: cluster.local unless set.
	Domain string
	// Address is the one that clients know, in the Service network.
	Address netip.Addr
	// Port is where it listens, on all addresses of the node, for UDP and TCP.
	// The proxy's rules lead there, and keep others out.
	Port uint16
	// Inside are the networks of Pods and Services.
	Inside []netip.Prefix
	// ResolvConf is the file with the node's resolvers: /etc/resolv.conf unless set.
	ResolvConf string
}

// Server answers questions. It is ready when it knows all Services that there were at the start.
type Server struct {
	cfg       Config
	zone      zone
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
		cfg:  cfg,
		zone: zone{domain: strings.ToLower(dns.Fqdn(cfg.Domain)), address: cfg.Address, inside: cfg.Inside},
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
	address := net.JoinHostPort("0.0.0.0", strconv.Itoa(int(s.cfg.Port)))
	packets, err := net.ListenPacket("udp4", address)
	if err != nil {
		return fmt.Errorf("listening for DNS: %w", err)
	}
	streams, err := net.Listen("tcp4", address)
	if err != nil {
		packets.Close()
		return fmt.Errorf("listening for DNS: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	for _, server := range []*dns.Server{{PacketConn: packets, UDPSize: packet}, {Listener: streams}} {
		server.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) { s.serve(ctx, w, m) })
		running.Go(func() {
			err := server.ActivateAndServe()
			if ctx.Err() == nil {
				cancel(fmt.Errorf("serving DNS: %w", err))
			}
		})
		running.Go(func() {
			<-ctx.Done()
			server.Shutdown()
			packets.Close()
			streams.Close()
		})
	}
	running.Go(func() {
		if err := s.forwarder.resolvers.watch(ctx); err != nil {
			klog.FromContext(ctx).Error(err, "The node's resolvers are not followed")
		}
	})
	s.setReady()
	running.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// serve answers one message. A panic is an answer like others: that there was a failure.
func (s *Server) serve(ctx context.Context, w dns.ResponseWriter, question *dns.Msg) {
	_, streamed := w.RemoteAddr().(*net.TCPAddr)
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
			klog.FromContext(ctx).Error(fmt.Errorf("panic: %v", r), "Answering a DNS question", "stack", string(debug.Stack()))
			answer = new(dns.Msg).SetRcode(question, dns.RcodeServerFailure)
		}
	}()
	if answer = s.handle(ctx, question); answer != nil {
		takeTurns(answer.Answer)
		takeTurns(answer.Extra)
	}
	return answer
}
