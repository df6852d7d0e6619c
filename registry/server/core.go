package server

import (
	"context"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/kubernetes"

	"github.com/coracle-k8s/coracle/registry/core"
	"github.com/coracle-k8s/coracle/registry/core/address"
	"github.com/coracle-k8s/coracle/registry/core/kubelets"
	"github.com/coracle-k8s/coracle/registry/storage"
)

// nodePorts are what is handed out for Services.
var nodePorts = address.PortRange{First: 30000, Size: 2768}

// core declares the core group. What it needs of the server is there when requests arrive.
func (s *Server) core() (group, error) {
	client, err := kubernetes.NewForConfig(s.ClientConfig(user.APIServerUser, user.SystemPrivilegedGroup))
	if err != nil {
		return group{}, fmt.Errorf("making a client for the core group: %w", err)
	}
	codec, _, err := storage.BuiltIn(s.scheme.Codecs, corev1.SchemeGroupVersion, corev1.Resource("rangeallocations"))
	if err != nil {
		return group{}, fmt.Errorf("finding the codec of node ports: %w", err)
	}
	addresses, err := address.New(address.Config{
		ServiceCIDRs: []netip.Prefix{s.config.ServiceCIDR},
		NodePorts:    nodePorts,
		IPs:          address.Objects(client.NetworkingV1(), nil, nil),
		Ports:        address.InEtcd(s.backend.Client.Client, storage.Root+address.PortsKey, codec),
	})
	if err != nil {
		return group{}, fmt.Errorf("handing out addresses: %w", err)
	}
	c := core.Config{
		Addresses:  addresses,
		Authorizer: authorizer.AuthorizerFunc(s.authorize),
		Budgets:    client.PolicyV1(),
		Components: map[string]func(context.Context) error{"etcd-0": s.backend.Healthy},
	}
	if s.config.Kubelet != nil {
		tls, err := utilnet.TLSClientConfig(s.config.Kubelet)
		if err != nil {
			return group{}, fmt.Errorf("finding the credentials for kubelets: %w", err)
		}
		c.Kubelets = kubelets.New(tls, 0)
	}
	g := core.New(c)
	return group{g.Resources(), g.Endpoints()}, nil
}

// authorize asks the server's authorizer, which is chosen after resources are declared.
func (s *Server) authorize(ctx context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	return s.generic.Authorization.Authorizer.Authorize(ctx, a)
}
