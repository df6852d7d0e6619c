package node

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/coracle-k8s/coracle/cmd/part"
	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/kubelet/network"
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
	p, err := n.masquerade.proxy(proxy.Config{
		NodeName: n.options.Name, Informers: api.Informers, ClusterCIDR: c.PodCIDR, ServiceCIDR: c.ServiceCIDR,
		DNSAddress: c.DNS, DNSPort: dnsPort, PodInterfaces: []string{network.Bridge},
		HealthAddress: proxyHealth,
	})
	if err != nil {
		return err
	}
	names, err := dns.New(dns.Config{
		Tracker: p.Tracker(), Synced: p.Synced(), Domain: c.Domain, Address: c.DNS, Port: dnsPort, Inside: []netip.Prefix{c.PodCIDR, c.ServiceCIDR},
	})
	if err != nil {
		return fmt.Errorf("making the DNS server: %w", err)
	}
	defer part.Expose(append(p.Collectors(), names.Collectors()...))()
	api.Informers.Start(ctx.Done())
	return guard.Together(ctx, guard.Task{Work: "proxy", Run: p.Run}, guard.Task{Work: "dns", Run: names.Run})
}
