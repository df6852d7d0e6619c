package node

import (
	"context"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"

	"github.com/coracle-k8s/coracle/cmd/part"
	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/proxy"
	"github.com/coracle-k8s/coracle/proxy/dns"
)

// dnsPort is where each node's DNS server listens; the proxy's rules lead cluster DNS there.
const dnsPort = 10053

// proxyHealth is where load balancers ask whether the node can take traffic: upstream's default.
const proxyHealth = "0.0.0.0:10256"

// runProxy runs the Service proxy and DNS, which reads the proxy's picture of Services.
func (n *Node) runProxy(ctx context.Context) error {
	api, err := n.api(ctx)
	if err != nil {
		return err
	}
	c := api.Cluster
	report, ended := n.reporter(api)
	defer ended()
	p, err := n.rules.proxy(proxy.Config{
		NodeName: n.options.Name, Informers: api.Informers, ClusterCIDR: c.PodCIDR, ServiceCIDR: c.ServiceCIDR,
		DNSAddress: c.DNS, DNSPort: dnsPort,
		HealthAddress: proxyHealth, Report: report,
	})
	if err != nil {
		return err
	}
	names, err := dns.New(dns.Config{
		Tracker: p.Tracker(), Synced: p.Synced(), Domain: c.Domain, Address: c.DNS, Port: dnsPort, Rules: p.Ready(), Inside: []netip.Prefix{c.PodCIDR, c.ServiceCIDR},
	})
	if err != nil {
		return fmt.Errorf("making the DNS server: %w", err)
	}
	defer part.Expose(append(p.Collectors(), names.Collectors()...))()
	api.Informers.Start(ctx.Done())
	return guard.Together(ctx, guard.Task{Work: "proxy", Run: p.Run}, guard.Task{Work: "dns", Run: names.Run})
}

// reporter records Events on the Node until ended is called.
func (n *Node) reporter(api *API) (report func(reason, message string), ended func()) {
	broadcaster := record.NewBroadcaster()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: api.Client.CoreV1().Events("")})
	recorder := broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "coracle-proxy", Host: n.options.Name})
	node := &corev1.ObjectReference{Kind: "Node", APIVersion: "v1", Name: n.options.Name, UID: types.UID(n.options.Name)}
	return func(reason, message string) { recorder.Event(node, corev1.EventTypeWarning, reason, message) }, broadcaster.Shutdown
}
