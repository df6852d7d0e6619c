// Package agent makes this machine a node of a cluster whose server is elsewhere: it joins with a token, keeps the node's
// certificates, and runs the node over HTTPS.
package agent

import (
	"context"
	"crypto/x509"
	"errors"
	"sync"
	"time"

	"github.com/coracle-k8s/coracle/cmd/cluster/pki"
	"github.com/coracle-k8s/coracle/cmd/node"
	"github.com/coracle-k8s/coracle/cmd/part"
	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/kubelet/objects"
)

// proxyPatience is how long the Service proxy waits for its first certificate, which takes as long as two requests, before it tries
// without.
const proxyPatience = 5 * time.Second

// Agent is a node that runs.
type Agent struct {
	options  Options
	identity *identity
	way      *connection
	proxyWay *connection // that of the Service proxy

	mu  sync.Mutex
	api *node.API

	stop  context.CancelFunc
	ended chan struct{}
}

// Start runs the node of a machine that has joined. It returns at once; the node goes on until ctx ends or Stop is called, whether
// or not the server is there.
func Start(ctx context.Context, o Options) (*Agent, error) {
	part.Prepare()
	id, err := openIdentity(o)
	if err != nil {
		return nil, err
	}
	if why := id.unusable(time.Now()); why != "" {
		return nil, errors.New(why)
	}
	a := &Agent{options: o, identity: id, ended: make(chan struct{})}
	a.way = newConnection(o.Server, id.ca, id.client.current.Load)
	a.proxyWay = newConnection(o.Server, id.ca, id.asProxy)
	id.client.changed = func() { a.way.renew(); a.proxyWay.renew() }
	id.proxy.changed = a.proxyWay.renew
	ctx, a.stop = context.WithCancel(ctx)
	guard.GoThen("agent", func() error { a.run(ctx); return nil }, func(error) { close(a.ended) })
	return a, nil
}

func (a *Agent) run(ctx context.Context) {
	defer a.way.close()
	defer a.proxyWay.close()
	var parts guard.Group
	defer parts.Wait()
	all := append(node.New(a.options.Options, a.connect).Parts(), part.Part{Name: "certificates", Run: a.renewCertificates})
	for _, p := range all {
		parts.Keep(ctx, p.Name, p.KeepRunning)
	}
}

func (a *Agent) renewCertificates(ctx context.Context) error {
	client, err := a.way.client("")
	if err != nil {
		return err
	}
	if err := a.identity.renewing(ctx, client); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// connect returns the API server as this node sees it, once it is known what the cluster is.
func (a *Agent) connect(ctx context.Context) (*node.API, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.api != nil {
		return a.api, nil
	}
	client, err := a.way.client("")
	if err != nil {
		return nil, err
	}
	facts, err := learn(ctx, client, a.options.DataDir)
	if err != nil {
		return nil, err
	}
	if err := outside(facts, a.options.IP, a.options.Server); err != nil {
		return nil, err
	}
	proxy, err := a.proxyWay.client("")
	if err != nil {
		return nil, err
	}
	a.identity.proxy.await(ctx, proxyPatience)
	trusted := x509.NewCertPool()
	trusted.AddCert(a.identity.ca)
	a.api = &node.API{
		Client: client, Informers: newInformers(client, proxy, a.options.Name), Objects: objects.NewWatched(ctx, client), Cluster: facts,
		Certificate: a.identity.serving.get, ClientCA: trusted, ServerUser: pki.KubeletClientUser,
		ClientExpires: a.identity.expires, ProcessMetrics: part.Metrics(),
	}
	return a.api, nil
}

// Stop ends the agent and returns when all that it started in this process has stopped. Containers live on. Idempotent.
func (a *Agent) Stop() {
	a.stop()
	<-a.ended
}

// Wait returns when the agent has ended.
func (a *Agent) Wait() { <-a.ended }
