package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"

	"k8s.io/client-go/kubernetes"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
	"github.com/coracle-k8s/coracle/cmd/cluster/pki"
	"github.com/coracle-k8s/coracle/cmd/node"
)

// Node are the options of this machine as a node.
func (o *Options) Node() node.Options {
	return node.Options{
		DataDir: o.DataDir, Name: o.NodeName, IP: o.NodeIP, CgroupRoot: o.CgroupRoot, RuntimeEndpoint: o.RuntimeEndpoint, KubeletPort: o.KubeletPort,
		EvictionHard: o.EvictionHard, EvictionTransition: o.EvictionTransition, UnsafeSysctls: o.UnsafeSysctls, ResolvConf: o.ResolvConf,
		LocalStorageDir: o.LocalStorageDir, MemoryReservation: o.MemoryReservation, MemoryThrottling: o.MemoryThrottling,
	}
}

// facts are what every node must know.
func (o *Options) facts() bootstrap.Cluster {
	return bootstrap.Cluster{
		PodCIDR: netip.MustParsePrefix(o.ClusterCIDR), ServiceCIDR: netip.MustParsePrefix(o.ServiceCIDR),
		Domain: o.ClusterDomain, DNS: o.DNSAddress(), PodNetwork: o.PodNetwork, TunnelPort: o.PodNetworkPort,
	}
}

// nodeAPI is the API server as the node in the same process sees it: no sockets, shared objects.
func (c *Cluster) nodeAPI(context.Context) (*node.API, error) {
	options := c.options.Node()
	client, err := kubernetes.NewForConfig(c.configOf(options.User()))
	if err != nil {
		return nil, err
	}
	source, err := c.objects()
	if err != nil {
		return nil, fmt.Errorf("reading ConfigMaps and Secrets: %w", err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(c.keys.CA.Cert)
	return &node.API{
		Client: client, Informers: c.api.Informers(), Objects: source, Cluster: c.options.facts(),
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.certificates.Load().nodeServing, nil },
		ClientCA:    trusted, ServerUser: pki.KubeletClientUser,
	}, nil
}
