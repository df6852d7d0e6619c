// Package proxy makes Services reachable from one node and its Pods: packets
// by the kernel's packet filter, names by a DNS server.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/proxy/conntrack"
	"github.com/coracle-k8s/coracle/proxy/health"
	"github.com/coracle-k8s/coracle/proxy/iptables"
	"github.com/coracle-k8s/coracle/proxy/routes"
	"github.com/coracle-k8s/coracle/proxy/service"
)

const (
	// pause is the least time between two changes of the kernel's rules. The
	// first change after a quiet time does not wait.
	pause = 100 * time.Millisecond
	// firstRetry and lastRetry bound the time to the next try after an error.
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// Config is what a proxy works with.
type Config struct {
	// NodeName is the node that it runs on.
	NodeName string
	// Informers see all Services and EndpointSlices, this Node, and at least
	// the Pods of this node. Run starts those that nobody has started.
	Informers informers.SharedInformerFactory
	// ClusterCIDR has all Pods, ServiceCIDR all ClusterIPs.
	ClusterCIDR, ServiceCIDR netip.Prefix
	// DNSAddress is the address of cluster DNS, and DNSPort the port of the
	// node's own server. Port 0: cluster DNS is a Service like others.
	DNSAddress netip.Addr
	DNSPort    uint16
	// NodePortAddresses limit where node ports are open; none means everywhere.
	NodePortAddresses []netip.Prefix
	// NoMasquerade leaves it to somebody else to give Pods' packets that
	// leave the cluster an address that answers find back to, until
	// SetMasquerade says otherwise.
	NoMasquerade bool
	// HealthAddress is where load balancers ask whether the node can take traffic, HOST:PORT; "" for nowhere.
	HealthAddress string
	// PodInterfaces are the links by which Pods are reached. They are told to
	// pass packets from local programs that began at a loopback address.
	PodInterfaces []string
}

// Proxy keeps the node's packet rules as the API wants them.
type Proxy struct {
	cfg     Config
	tracker *service.Tracker
	backend *iptables.Backend
	rules   *health.Rules
	health  *health.Servers
	metrics *metrics
	feeds   []feed
	synced  []cache.DoneChecker
	flows   conntrack.Table
	// masquerade has the last word of SetMasquerade that sync has not seen yet.
	masquerade chan bool

	ready    chan struct{}
	setReady func()
}

// New returns a proxy that is fed by the given informers. It starts nothing.
func New(cfg Config) (*Proxy, error) {
	ready, rules := make(chan struct{}), health.NewRules()
	p := &Proxy{
		cfg:        cfg,
		tracker:    service.NewTracker(cfg.NodeName),
		rules:      rules,
		health:     health.New(rules),
		metrics:    newMetrics(),
		ready:      ready,
		masquerade: make(chan bool, 1),
		setReady:   sync.OnceFunc(func() { close(ready) }),
	}
	p.backend = iptables.New(p.node())
	if err := p.listen(); err != nil {
		return nil, fmt.Errorf("listening to informers: %w", err)
	}
	return p, nil
}

// node is what the rules depend on beside the API's objects.
func (p *Proxy) node() iptables.Node {
	return iptables.Node{
		ClusterCIDR: p.cfg.ClusterCIDR, ServiceCIDR: p.cfg.ServiceCIDR,
		DNSAddress: p.cfg.DNSAddress, DNSPort: p.cfg.DNSPort,
		NodePortAddresses: p.cfg.NodePortAddresses, Masquerade: !p.cfg.NoMasquerade,
	}
}

// Tracker is where the proxy has its pictures from: for DNS.
func (p *Proxy) Tracker() *service.Tracker { return p.tracker }

// Synced are done when the tracker has all that there was at the start.
func (p *Proxy) Synced() []cache.DoneChecker { return p.synced }

// Ready is closed when the rules are in place for the first time.
func (p *Proxy) Ready() <-chan struct{} { return p.ready }

// Collectors are the proxy's metrics, for the caller to register.
func (p *Proxy) Collectors() []prometheus.Collector { return p.metrics.collectors() }

// SetMasquerade says whether Pods' packets that leave the cluster get the
// node's address. It returns at once; one caller at a time.
func (p *Proxy) SetMasquerade(on bool) {
	select {
	case <-p.masquerade:
	default:
	}
	p.masquerade <- on
}

// Run keeps the rules until the context ends. They stay after that: packets
// flow on while the process restarts. It runs once.
func (p *Proxy) Run(ctx context.Context) error {
	defer p.unlisten()
	changes := p.tracker.Changes()
	p.cfg.Informers.Start(ctx.Done())
	if !cache.WaitFor(ctx, "", p.synced...) {
		return context.Cause(ctx)
	}
	defer p.health.Close()
	defer p.rules.Close()
	retry, said := time.Duration(0), ""
	for {
		if p.cfg.HealthAddress != "" {
			p.rules.Listen(p.cfg.HealthAddress)
		}
		if err := p.sync(ctx); err != nil && ctx.Err() == nil {
			retry = min(max(2*retry, firstRetry), lastRetry)
			if err.Error() != said { // what lasts is told once
				said = err.Error()
				klog.FromContext(ctx).Error(err, "Making the packet rules, trying again until it works", "after", retry)
			}
		} else {
			retry, said = 0, ""
		}
		if !p.wait(ctx, changes, retry) {
			return nil
		}
	}
}

// wait returns true when there is something to do: a change, but not too soon
// after the last one, or another try.
func (p *Proxy) wait(ctx context.Context, changes <-chan struct{}, retry time.Duration) bool {
	rest := time.NewTimer(pause)
	defer rest.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-rest.C:
	}
	var again <-chan time.Time
	if retry > 0 {
		timer := time.NewTimer(retry - pause)
		defer timer.Stop()
		again = timer.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-changes:
	case <-again:
	case on := <-p.masquerade:
		p.backend.SetMasquerade(on)
	}
	return true
}

// sync makes the kernel match the present picture. A panic is an error like others.
func (p *Proxy) sync(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	start := time.Now()
	p.rules.Pending()
	snapshot := p.tracker.Snapshot()
	if err := routes.Ensure(p.cfg.ClusterCIDR, p.cfg.ServiceCIDR); err != nil {
		return err
	}
	for _, name := range p.cfg.PodInterfaces {
		allowLoopback(name)
	}
	stats, err := p.backend.Apply(ctx, snapshot)
	p.metrics.synced(start, stats, err)
	if err != nil {
		return err
	}
	p.rules.Updated()
	p.setReady()
	return errors.Join(p.endFlows(snapshot), p.health.Set(snapshot))
}

// endFlows ends UDP flows to endpoints that are gone, after the rules have changed.
func (p *Proxy) endFlows(snapshot *service.Snapshot) error {
	flows := conntrack.NewTable(snapshot)
	if flows.Equal(p.flows) {
		return nil
	}
	if _, err := conntrack.Clean(flows); err != nil {
		return err
	}
	p.flows = flows
	return nil
}

// Cleanup removes all rules and routes of a proxy, of this process or one
// before it, in the network namespace of the caller. It is idempotent.
func Cleanup(ctx context.Context) error {
	return errors.Join(iptables.Cleanup(ctx), routes.Cleanup())
}
