package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"path/filepath"

	nodev1 "k8s.io/api/node/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/cmd/cluster/pki"
	"github.com/coracle-k8s/coracle/kubelet"
	"github.com/coracle-k8s/coracle/kubelet/images"
	"github.com/coracle-k8s/coracle/kubelet/network"
	"github.com/coracle-k8s/coracle/kubelet/runtime/containerd"
	"github.com/coracle-k8s/coracle/proxy"
	"github.com/coracle-k8s/coracle/proxy/dns"
)

// dnsPort is where each node's DNS server listens; the proxy's rules lead cluster DNS there.
const dnsPort = 10053

// node lists the parts that make this machine a node. The container runtime needs nothing of the API and starts at once.
func (c *Cluster) node() []part {
	parts := []part{{"kubelet", c.runKubelet}, {"proxy", c.runProxy}}
	if c.options.RuntimeEndpoint == "" {
		parts = append(parts, part{"containerd", c.runContainerd})
	} else {
		c.runtimeStarted()
	}
	return parts
}

// runtimeEndpoint is the socket of the container runtime.
func (o *Options) runtimeEndpoint() string {
	if o.RuntimeEndpoint != "" {
		return o.RuntimeEndpoint
	}
	return containerd.Endpoint(o.containerd())
}

func (o *Options) containerd() containerd.Config {
	return containerd.Config{DataDir: o.DataDir, Log: klog.Background().WithName("containerd")}
}

// runContainerd runs the container runtime and loads the images in the data directory.
func (c *Cluster) runContainerd(ctx context.Context) error {
	r, err := containerd.Start(ctx, c.options.containerd())
	if err != nil {
		return fmt.Errorf("starting containerd: %w", err)
	}
	defer r.Stop()
	c.runtimeStarted()
	loaded := make(chan struct{})
	loading, stop := context.WithCancel(ctx)
	go func() {
		defer close(loaded)
		c.loadImages(loading, r.Endpoint())
	}()
	defer func() { stop(); <-loaded }()
	ended := make(chan error, 1)
	go func() { ended <- r.Wait() }()
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return fmt.Errorf("running containerd: %w", err)
	}
}

func (c *Cluster) loadImages(ctx context.Context, socket string) {
	dir := filepath.Join(c.options.DataDir, "images")
	err := images.LoadDir(ctx, socket, dir, func(archive string, names []string, err error) {
		if err != nil {
			klog.ErrorS(err, "Loading images", "archive", archive)
			return
		}
		klog.InfoS("Loaded images", "archive", archive, "images", names)
	})
	if err != nil && ctx.Err() == nil {
		klog.ErrorS(err, "Loading images", "directory", dir)
	}
}

func (c *Cluster) runKubelet(ctx context.Context) error {
	select {
	case <-c.runtime:
	case <-ctx.Done():
		return nil
	}
	config, err := c.kubeletConfig(ctx)
	if err != nil {
		return err
	}
	k, err := kubelet.New(config)
	if err != nil {
		return err
	}
	return k.Run(ctx)
}

func (c *Cluster) kubeletConfig(ctx context.Context) (kubelet.Config, error) {
	o := c.options
	client, err := kubernetes.NewForConfig(c.configOf("system:node:" + o.NodeName))
	if err != nil {
		return kubelet.Config{}, err
	}
	serving, err := tls.X509KeyPair(c.keys.NodeServing.CertPEM, c.keys.NodeServing.KeyPEM)
	if err != nil {
		return kubelet.Config{}, fmt.Errorf("reading the kubelet's certificate: %w", err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(c.keys.CA.Cert)
	informers := c.api.Informers()
	source, err := c.objects()
	if err != nil {
		return kubelet.Config{}, err
	}
	classes := informers.Node().V1().RuntimeClasses().Lister()
	config := kubelet.Config{
		NodeName: o.NodeName, NodeIPs: []netip.Addr{netip.MustParseAddr(o.NodeIP)}, Client: client,
		Pods: informers.Core().V1().Pods().Informer(), Nodes: informers.Core().V1().Nodes().Informer(), Services: informers.Core().V1().Services().Informer(),
		RuntimeClass: func(name string) (*nodev1.RuntimeClass, error) { return classes.Get(name) },
		Objects:      source, RuntimeEndpoint: o.runtimeEndpoint(), CgroupRoot: o.CgroupRoot,
		ClusterDNS: []netip.Addr{o.DNSAddress()}, ClusterDomain: o.ClusterDomain, Port: int32(o.KubeletPort),
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &serving, nil },
		ClientCA:    trusted, ServerUser: pki.KubeletClientUser,
	}
	if config.JoinNetwork, err = c.joinNetwork(); err != nil {
		return kubelet.Config{}, err
	}
	informers.Start(ctx.Done())
	return config, nil
}

// joinNetwork is nil where somebody else's network plugin joins Pods.
func (c *Cluster) joinNetwork() (func([]netip.Prefix) error, error) {
	n := network.New(network.Config{DataDir: c.options.DataDir})
	foreign, err := n.Foreign()
	if err != nil || foreign {
		return nil, err
	}
	return n.Join, nil
}

// runProxy runs the Service proxy and DNS, which reads the proxy's picture of Services.
func (c *Cluster) runProxy(ctx context.Context) error {
	o := c.options
	foreign, err := network.New(network.Config{DataDir: o.DataDir}).Foreign()
	if err != nil {
		return err
	}
	pods, services := netip.MustParsePrefix(o.ClusterCIDR), netip.MustParsePrefix(o.ServiceCIDR)
	p, err := proxy.New(proxy.Config{
		NodeName: o.NodeName, Informers: c.api.Informers(), ClusterCIDR: pods, ServiceCIDR: services,
		DNSAddress: o.DNSAddress(), DNSPort: dnsPort, NoMasquerade: foreign, PodInterfaces: []string{network.Bridge},
	})
	if err != nil {
		return fmt.Errorf("making the proxy: %w", err)
	}
	names, err := dns.New(dns.Config{
		Tracker: p.Tracker(), Synced: p.Synced(), Domain: o.ClusterDomain, Address: o.DNSAddress(), Port: dnsPort, Inside: []netip.Prefix{pods, services},
	})
	if err != nil {
		return fmt.Errorf("making the DNS server: %w", err)
	}
	defer expose(append(p.Collectors(), names.Collectors()...))()
	return together(ctx, part{"proxy", p.Run}, part{"dns", names.Run})
}
