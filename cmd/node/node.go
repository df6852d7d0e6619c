// Package node assembles what makes a machine a node: container runtime, kubelet, Pod network, Service proxy and DNS. It does not know
// whether the API server is in the same process.
package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
	"github.com/coracle-k8s/coracle/cmd/part"
	"github.com/coracle-k8s/coracle/kubelet/network"
	"github.com/coracle-k8s/coracle/kubelet/objects"
)

// API is the API server as the node sees it.
type API struct {
	// Client acts as the node.
	Client kubernetes.Interface
	// Informers see all Nodes, Services, EndpointSlices and RuntimeClasses, and at least the Pods of this node. Their objects
	// are shared and read only. The node starts those that nobody has started.
	Informers informers.SharedInformerFactory
	Objects   objects.Source
	Cluster   bootstrap.Cluster
	// Certificate is the kubelet's as a server; it is asked at each handshake. ClientCA verifies who asks the kubelet, and
	// ServerUser is the API server's own identity there.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	ClientCA    *x509.CertPool
	ServerUser  string
	// ClientExpires is when the certificate ends by which Client is known; nil where that needs none.
	ClientExpires func() time.Time
	// ProcessMetrics are those of the process that the kubelet has to tell of, as nobody else does; nil where there is an API server.
	ProcessMetrics prometheus.Gatherer
}

// Node is this machine's part in a cluster.
type Node struct {
	options Options
	api     func(context.Context) (*API, error)

	network *network.Network
	rules   *rules
	// runtime is closed when the container runtime serves.
	runtime        chan struct{}
	runtimeStarted func()
}

// New returns a node that runs nothing yet. api may take its time, until it is known what the cluster is; it is asked each
// time that a part begins, and should return the same.
func New(o Options, api func(context.Context) (*API, error)) *Node {
	n := &Node{options: o, api: api, rules: &rules{}, runtime: make(chan struct{})}
	n.network = network.New(network.Config{DataDir: o.DataDir, OnChange: n.rules.changed})
	n.rules.network = n.network
	n.runtimeStarted = sync.OnceFunc(func() { close(n.runtime) })
	return n
}

// Parts are what runs side by side, until their contexts end. The container runtime needs nothing of the API and starts at
// once. Containers live on when it ends.
func (n *Node) Parts() []part.Part {
	parts := []part.Part{{Name: "kubelet", Run: n.runKubelet}, {Name: "Pod network", Run: n.runNetwork}, {Name: "proxy", Run: n.runProxy}}
	if n.options.RuntimeEndpoint == "" {
		parts = append(parts, part.Part{Name: "containerd", Run: n.runContainerd})
	} else {
		n.runtimeStarted()
	}
	return parts
}
