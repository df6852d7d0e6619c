// Package cluster assembles a cluster: API server, controllers, scheduler and a node, in one process.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/cluster-bootstrap/token/api"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
	"github.com/coracle-k8s/coracle/cmd/cluster/pki"
	"github.com/coracle-k8s/coracle/cmd/node"
	"github.com/coracle-k8s/coracle/cmd/part"
	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/kubelet/objects"
	"github.com/coracle-k8s/coracle/registry/server"
)

// Cluster is a running cluster.
type Cluster struct {
	options Options
	keys    *pki.PKI
	api     *server.Server
	url     string

	// certificates are those in use; they are renewed while the cluster runs.
	certificates atomic.Pointer[certificates]
	renewal      time.Time
	// objects are the ConfigMaps and Secrets as the kubelet reads them, made when it first starts.
	objects func() (*objects.Shared, error)

	stop  context.CancelFunc
	ended chan struct{}
	err   error
}

// Start starts a cluster as o says, completed or not, and returns when its API answers, if it does not get ready in a few seconds
// then before it is; controllers, scheduler and node are on their way then (see WaitUsable). It runs until ctx ends, Stop is called, or the API server or its storage fail for good.
// Several clusters can live in one process, with data directories and ports of their own; only one of them can have the node.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	if err := o.Complete(); err != nil {
		return nil, err
	}
	part.Prepare()
	listener, err := listen(o.BindAddress, max(o.HTTPSPort, 0))
	if err != nil {
		return nil, err
	}
	o.HTTPSPort = listener.Addr().(*net.TCPAddr).Port
	c := &Cluster{options: o, ended: make(chan struct{})}
	c.url = "https://" + net.JoinHostPort(c.localHost(), strconv.Itoa(o.HTTPSPort))
	var running context.Context
	running, c.stop = context.WithCancel(ctx)
	if err := c.open(running, listener); err != nil {
		c.stop()
		listener.Close()
		return nil, err
	}
	c.objects = sync.OnceValues(func() (*objects.Shared, error) {
		core := c.api.Informers().Core().V1()
		return objects.NewShared(core.ConfigMaps(), core.Secrets())
	})
	guard.GoThen("cluster", func() error { return c.run(running) }, func(err error) {
		c.stop()
		c.err = err
		close(c.ended)
	})
	select {
	case <-c.api.Answering():
		return c, nil
	case <-c.ended:
		return nil, errors.Join(c.err, ctx.Err())
	}
}

// localHost is where clients on this machine reach the API.
func (c *Cluster) localHost() string {
	if ip := net.ParseIP(c.options.BindAddress); !ip.IsUnspecified() {
		return ip.String()
	}
	return "127.0.0.1"
}

// run holds the order: the API server first and last, what uses it in between. Nothing else starts while it does: all would wait for
// it anyhow, and take the processors from it. But one that answers and does not get ready is not waited for: what keeps it may be a
// Pod's work, and Pods are the node's.
func (c *Cluster) run(ctx context.Context) error {
	apiCtx, stopAPI := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAPI()
	defer part.Expose(c.api.Collectors())()
	ended := make(chan error, 1)
	guard.GoThen("API server", func() error { return c.api.Run(apiCtx) }, func(err error) {
		c.stop()
		ended <- err
	})
	guard.Keep(ctx, "parts", c.runParts)
	stopAPI()
	if err := <-ended; err != nil {
		return fmt.Errorf("running the API server: %w", err)
	}
	return nil
}

// runParts runs what uses the API, once it answers, until ctx ends.
func (c *Cluster) runParts(ctx context.Context) {
	select {
	case <-c.api.Answering():
	case <-ctx.Done():
		return
	}
	var parts guard.Group
	for _, p := range c.parts() {
		parts.Keep(ctx, p.Name, p.KeepRunning)
	}
	parts.Wait()
}

// parts are all that use the API.
func (c *Cluster) parts() []part.Part {
	all := []part.Part{
		{Name: "controllers", Run: c.leading(managerUser, c.runControllers)},
		{Name: "scheduler", Run: c.leading(schedulerUser, c.runScheduler)},
		{Name: "cluster DNS", Run: c.keepDNSService},
		{Name: "cluster facts", Run: c.keeping(metav1.NamespaceSystem, bootstrap.ConfigMapName, c.facts)},
		{Name: "servers", Run: c.keeping(metav1.NamespaceSystem, bootstrap.ServersName, c.server)},
		{Name: "cluster-info", Run: c.keeping(metav1.NamespacePublic, api.ConfigMapClusterInfo, c.info())},
		{Name: "certificates", Run: c.renewCertificates},
	}
	if !c.options.ControlPlaneOnly {
		all = append(all, node.New(c.options.Node(), c.nodeAPI).Parts()...)
	}
	return all
}

// URL is where clients on this machine reach the API.
func (c *Cluster) URL() string { return c.url }

// AdminConfig is the administrator's client configuration, for connections over HTTPS.
func (c *Cluster) AdminConfig() (*rest.Config, error) {
	return clientcmd.BuildConfigFromFlags("", c.options.Admin())
}

// Stop ends the cluster and returns when all that it started in this process has stopped. Containers live on. Idempotent.
func (c *Cluster) Stop() error {
	c.stop()
	<-c.ended
	return c.err
}

// StorageFailed is closed when the embedded etcd cannot go on. The cluster then ends by itself, but may wait for requests that never
// will: who owns the process should not wait for long.
func (c *Cluster) StorageFailed() <-chan struct{} { return c.api.StorageFailed() }

// Wait returns when the cluster has ended, with the reason if it was not asked to.
func (c *Cluster) Wait() error {
	<-c.ended
	return c.err
}
