package node

import (
	"context"
	"fmt"
	"sync"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
	"github.com/coracle-k8s/coracle/kubelet/network"
	"github.com/coracle-k8s/coracle/proxy"
)

// runNetwork keeps the ways to the other nodes' Pods.
func (n *Node) runNetwork(ctx context.Context) error {
	api, err := n.api(ctx)
	if err != nil {
		return err
	}
	nodes := api.Informers.Core().V1().Nodes().Informer()
	api.Informers.Start(ctx.Done())
	return n.network.Run(ctx, network.Peers{
		Self: n.options.Name, Nodes: nodes, AlwaysTunnel: api.Cluster.PodNetwork == bootstrap.VXLAN, TunnelPort: api.Cluster.TunnelPort,
	})
}

// rules tells the proxy that runs what packet rules the Pod network needs. Either may begin first, and again.
type rules struct {
	network *network.Network

	mu      sync.Mutex
	running *proxy.Proxy
}

// changed is told by the network.
func (r *rules) changed(now network.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running != nil {
		r.running.SetPodNetwork(podNetwork(now))
	}
}

// proxy makes the proxy that runs from now on.
func (r *rules) proxy(c proxy.Config) (*proxy.Proxy, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, err := r.network.State()
	if err != nil {
		return nil, fmt.Errorf("asking whose the Pod network is: %w", err)
	}
	c.PodNetwork = podNetwork(now)
	p, err := proxy.New(c)
	if err != nil {
		return nil, fmt.Errorf("making the proxy: %w", err)
	}
	r.running = p
	return p, nil
}

func podNetwork(s network.State) proxy.PodNetwork {
	return proxy.PodNetwork{InUse: s.InUse, TunnelPort: uint16(s.TunnelPort)}
}
