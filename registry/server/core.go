package server

import (
	"context"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apiserver/pkg/util/proxy"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/registry/core"
	"github.com/coracle-k8s/coracle/registry/core/address"
	"github.com/coracle-k8s/coracle/registry/core/kubelets"
	"github.com/coracle-k8s/coracle/registry/storage"
)

// nodePorts are what is handed out for Services.
var nodePorts = address.PortRange{First: 30000, Size: 2768}

// core declares the core group.
func (s *Server) core() (group, error) {
	var err error
	if s.allocator, err = s.addresses(); err != nil {
		return group{}, fmt.Errorf("handing out addresses: %w", err)
	}
	slices, err := proxy.NewEndpointSliceListerGetter(s.informers.Discovery().V1().EndpointSlices().Lister())
	if err != nil {
		return group{}, fmt.Errorf("finding where Services lead to: %w", err)
	}
	c := core.Config{
		Addresses:  s.allocator,
		Slices:     slices,
		Authorizer: s.authorizer,
		Budgets:    s.client.PolicyV1(),
		Components: map[string]func(context.Context) error{"etcd-0": s.etcdComponent},
	}
	if s.tokens != nil {
		c.Tokens = s.tokens
	}
	if s.config.Kubelet != nil {
		tls, err := utilnet.TLSClientConfig(s.config.Kubelet)
		if err != nil {
			return group{}, fmt.Errorf("finding the credentials for kubelets: %w", err)
		}
		s.kubelets = kubelets.New(tls, 0)
	}
	c.Kubelets = s.kubelets
	g := core.New(c)
	return group{g.Resources(), g.Endpoints()}, nil
}

// addresses records what Services have in IPAddresses and, as upstream does, in one object with all node ports.
func (s *Server) addresses() (*address.Allocator, error) {
	codec, _, err := storage.BuiltIn(s.scheme.Codecs, corev1.SchemeGroupVersion, corev1.Resource("rangeallocations"))
	if err != nil {
		return nil, fmt.Errorf("finding the codec of node ports: %w", err)
	}
	networking := s.informers.Networking().V1()
	return address.New(address.Config{
		ServiceCIDRs: []netip.Prefix{s.config.ServiceCIDR.Masked()},
		NodePorts:    nodePorts,
		IPs:          address.Objects(s.client.NetworkingV1(), networking.IPAddresses().Lister(), networking.ServiceCIDRs().Lister()),
		Ports:        address.InEtcd(s.backend.Client.Client, storage.Root+address.PortsKey, codec),
	})
}

// repairAddresses keeps the record of node ports in agreement with Services, until ctx ends.
func (s *Server) repairAddresses(ctx context.Context) {
	list := func(ctx context.Context) ([]*corev1.Service, error) {
		all, err := s.client.CoreV1().Services(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("listing Services: %w", err)
		}
		services := make([]*corev1.Service, len(all.Items))
		for i := range all.Items {
			services[i] = &all.Items[i]
		}
		return services, nil
	}
	s.allocator.Run(ctx, list, func(err error) { klog.FromContext(ctx).Error(err, "Repairing addresses of Services") })
}
