package node

import (
	"context"
	"net/netip"

	nodev1 "k8s.io/api/node/v1"

	"github.com/coracle-k8s/coracle/kubelet"
	"github.com/coracle-k8s/coracle/kubelet/network"
)

func (n *Node) runKubelet(ctx context.Context) error {
	api, err := n.api(ctx)
	if err != nil {
		return err
	}
	select {
	case <-n.runtime:
	case <-ctx.Done():
		return nil
	}
	config, err := n.kubeletConfig(api)
	if err != nil {
		return err
	}
	k, err := kubelet.New(config)
	if err != nil {
		return err
	}
	api.Informers.Start(ctx.Done())
	return k.Run(ctx)
}

func (n *Node) kubeletConfig(api *API) (kubelet.Config, error) {
	o, core := n.options, api.Informers.Core().V1()
	classes := api.Informers.Node().V1().RuntimeClasses().Lister()
	config := kubelet.Config{
		NodeName: o.Name, NodeIPs: []netip.Addr{netip.MustParseAddr(o.IP)}, Client: api.Client,
		Pods: core.Pods().Informer(), Nodes: core.Nodes().Informer(), Services: core.Services().Informer(),
		RuntimeClass: func(name string) (*nodev1.RuntimeClass, error) { return classes.Get(name) },
		Objects:      api.Objects, RuntimeEndpoint: o.runtimeEndpoint(), CgroupRoot: o.CgroupRoot,
		ClusterDNS: []netip.Addr{api.Cluster.DNS}, ClusterDomain: api.Cluster.Domain, Port: int32(o.KubeletPort),
		Certificate: api.Certificate, ClientCA: api.ClientCA, ServerUser: api.ServerUser,
	}
	var err error
	config.JoinNetwork, err = n.joinNetwork()
	return config, err
}

// joinNetwork is nil where somebody else's network plugin joins Pods.
func (n *Node) joinNetwork() (func([]netip.Prefix) error, error) {
	net := network.New(network.Config{DataDir: n.options.DataDir})
	foreign, err := net.Foreign()
	if err != nil || foreign {
		return nil, err
	}
	return net.Join, nil
}
