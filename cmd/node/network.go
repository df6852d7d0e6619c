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

// masquerade tells the proxy that runs whether the Pod network is ours. Either may begin first, and again.
type masquerade struct {
	network *network.Network

	mu      sync.Mutex
	running *proxy.Proxy
}

// inUse is told by the network.
func (m *masquerade) inUse(ours bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running != nil {
		m.running.SetMasquerade(ours)
	}
}

// proxy makes the proxy that runs from now on.
func (m *masquerade) proxy(c proxy.Config) (*proxy.Proxy, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ours, err := m.network.InUse()
	if err != nil {
		return nil, fmt.Errorf("asking whose the Pod network is: %w", err)
	}
	c.NoMasquerade = !ours
	p, err := proxy.New(c)
	if err != nil {
		return nil, fmt.Errorf("making the proxy: %w", err)
	}
	m.running = p
	return p, nil
}
