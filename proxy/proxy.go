// Package proxy makes Services reachable from one node and its Pods: packets
// by the kernel's packet filter, names by a DNS server.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
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
	// lookPause is the least time between two looks at rules that others may have changed.
	lookPause = 2 * time.Second
)

// PodNetwork is what a Pod network of ours needs of the rules. The zero value is for another's.
type PodNetwork = iptables.PodNetwork

// Config is what a proxy works with.
type Config struct {
	// NodeName is the node that it runs on.
	NodeName string
	// Informers see all Services, EndpointSlices and Nodes, and at least
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
	// PodNetwork is until SetPodNetwork says otherwise.
	PodNetwork PodNetwork
	// HealthAddress is where load balancers ask whether the node can take traffic, HOST:PORT; "" for nowhere.
	HealthAddress string
	// Report is told of what an administrator should know of; it does not block. Nil tells nobody.
	Report func(reason, message string)
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
	// flows is where UDP flows led when those that led elsewhere were last ended; ended says that there are none since.
	flows conntrack.Table
	ended bool
	// podNetwork has the last word of SetPodNetwork that sync has not seen yet.
	podNetwork chan PodNetwork
	// due says that others may have changed rules since they were last looked at, which was then.
	due    bool
	looked time.Time
	// tuned says that the kernel's settings are as they should be.
	tuned bool

	ready    chan struct{}
	setReady func()
}

// New returns a proxy that is fed by the given informers. It starts nothing.
func New(cfg Config) (*Proxy, error) {
	if cfg.Report == nil {
		cfg.Report = func(string, string) {}
	}
	ready, rules := make(chan struct{}), health.NewRules()
	p := &Proxy{
		cfg:        cfg,
		tracker:    service.NewTracker(cfg.NodeName),
		rules:      rules,
		health:     health.New(rules),
		metrics:    newMetrics(),
		ready:      ready,
		podNetwork: make(chan PodNetwork, 1),
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
		NodePortAddresses: p.cfg.NodePortAddresses, PodNetwork: p.cfg.PodNetwork,
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

// SetPodNetwork says what the Pod network needs from now on. It returns at once; one caller at a time.
func (p *Proxy) SetPodNetwork(n PodNetwork) {
	select {
	case <-p.podNetwork:
	default:
	}
	p.podNetwork <- n
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
	watcher := p.backend.Watch(ctx)
	defer watcher.Stop()
	retry, said := time.Duration(0), ""
	for {
		if p.cfg.HealthAddress != "" {
			p.rules.Listen(p.cfg.HealthAddress)
		}
		// A panic is an error like others.
		if err := guard.Call("making packet rules", func() error { return p.sync(ctx) }); err != nil && ctx.Err() == nil {
			retry = min(max(2*retry, firstRetry), lastRetry)
			if err.Error() != said { // what lasts is told once
				said = err.Error()
				klog.FromContext(ctx).Error(err, "Making the packet rules, trying again until it works", "after", retry)
			}
		} else {
			retry, said = 0, ""
		}
		if !p.wait(ctx, changes, watcher.Changes(), retry) {
			return nil
		}
	}
}

// wait returns true when there is something to do: a change, but not too soon
// after the last one, or another try. Of others' changes there may be many that are none of our business.
func (p *Proxy) wait(ctx context.Context, changes, others <-chan struct{}, retry time.Duration) bool {
	rest := time.NewTimer(pause)
	defer rest.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-rest.C:
	}
	var again <-chan time.Time
	if retry > 0 {
		again = time.After(retry - pause)
	}
	for {
		var look <-chan time.Time
		if p.due {
			look, others = time.After(time.Until(p.looked.Add(lookPause))), nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-others:
			p.due = true
			continue
		case <-look:
			p.due, p.looked = false, time.Now()
			p.backend.Check()
		case <-changes:
		case <-again:
		case n := <-p.podNetwork:
			p.backend.SetPodNetwork(n)
		}
		return true
	}
}

// sync makes the kernel match the present picture.
func (p *Proxy) sync(ctx context.Context) error {
	start := time.Now()
	p.rules.Pending()
	snapshot := p.tracker.Snapshot()
	if err := routes.Ensure(p.cfg.ClusterCIDR, p.cfg.ServiceCIDR, p.dnsAddress()); err != nil {
		return err
	}
	stats, err := p.backend.Apply(ctx, snapshot)
	p.metrics.synced(start, stats, err)
	if err != nil {
		return err
	}
	p.restored(ctx, stats.Restored)
	p.tune(ctx, snapshot)
	p.rules.Updated()
	p.setReady()
	return errors.Join(p.endFlows(snapshot), p.health.Set(snapshot))
}

// dnsAddress is that of the node's own DNS server, if there is one.
func (p *Proxy) dnsAddress() netip.Addr {
	if p.cfg.DNSPort == 0 {
		return netip.Addr{}
	}
	return p.cfg.DNSAddress
}

// restored tells that others had changed so much of our rules. Flows that began meanwhile lead anywhere.
func (p *Proxy) restored(ctx context.Context, n int) {
	if n == 0 {
		return
	}
	p.ended = false
	klog.FromContext(ctx).Info("Somebody else changed packet rules of Services, they are put back", "chainsAndRules", n)
	p.cfg.Report("PacketRulesRestored", fmt.Sprintf("Somebody else changed or removed %d packet rules or chains that Services need: they are put back", n))
}

// endFlows ends UDP flows to endpoints and Services that are gone, after the rules have changed.
func (p *Proxy) endFlows(snapshot *service.Snapshot) error {
	flows := conntrack.NewTable(snapshot, p.cfg.ServiceCIDR, p.dnsAddress())
	if p.ended && flows.Equal(p.flows) {
		return nil
	}
	if _, err := conntrack.Clean(flows, p.flows); err != nil {
		return err
	}
	p.flows, p.ended = flows, true
	return nil
}

// Cleanup removes all rules and routes of a proxy, of this process or one
// before it, in the network namespace of the caller. It is idempotent.
func Cleanup(ctx context.Context) error {
	return errors.Join(iptables.Cleanup(ctx), routes.Cleanup())
}
