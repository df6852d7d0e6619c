// Package peer runs upstream Kubernetes as kubeadm sets it up, of the same parts, on machines made of namespaces, so that
// Coracle can be measured beside it.
//
// Wherever there is a choice it is made in upstream's favour: certificates are there before anything runs, parts are started as
// soon as what they need answers, on the machine itself and not in Pods, etcd is reached without TLS, and cluster DNS is one
// replica that is added later.
package peer

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/coracle-k8s/coracle/e2e/machines"
	"github.com/coracle-k8s/coracle/e2e/nodens"
)

// Config is what a cluster is to be.
type Config struct {
	// Dir holds all of it. Sockets are beneath it: its path must be short, and absolute.
	Dir string
	// Programs is the folder of Programs, absolute too.
	Programs string
	// Own are the images that the cluster runs itself, Images further archives that its server has.
	Own    Images
	Images []string
	// CgroupRoot is a cgroup of the cluster's own, as a path beneath each hierarchy's root.
	CgroupRoot string
	// NoNode makes the server's machine one that is no node.
	NoNode bool
}

// Cluster is a server and the agents that join it, each on a machine of its own. There can be one in a network namespace.
// Methods are for one caller at a time.
type Cluster struct {
	Config
	keys   *keys
	server *node
	agents []*node
	// loading ends with an error when containerd has the images that it is to have from the start.
	loading chan error
}

var link = machines.Link{Bridge: "peer0", Router: netip.MustParsePrefix("172.31.0.254/24")}

// Create makes the server's machine, with certificates and configuration. Nothing runs there yet.
func Create(c Config) (*Cluster, error) {
	made := &Cluster{Config: c}
	if err := link.Lay(); err != nil {
		return nil, err
	}
	if err := made.create(); err != nil {
		return nil, errors.Join(err, made.Down())
	}
	return made, nil
}

func (c *Cluster) create() (err error) {
	c.server = c.newNode(0)
	if err := os.MkdirAll(c.server.dir, 0o755); err != nil {
		return err
	}
	if c.keys, err = makeKeys(filepath.Join(c.Dir, "keys"), c.server); err != nil {
		return err
	}
	return c.server.make(c.keys.dir)
}

// Start executes etcd, the API server and containerd and returns at once when they are on their way. Those that run already
// are left alone.
func (c *Cluster) Start(ctx context.Context) error {
	s := c.server
	address := s.address.String()
	if err := s.execute("etcd", etcdArgs(s.dir, address)); err != nil {
		return err
	}
	if err := c.startRuntime(ctx); err != nil {
		return err
	}
	if err := s.await(ctx, "etcd", "tcp", address+":2379"); err != nil {
		return err
	}
	return s.execute("kube-apiserver", apiserverArgs(c.keys.dir, address))
}

// startRuntime executes containerd, and has the images loaded where that was not done before.
func (c *Cluster) startRuntime(ctx context.Context) error {
	s := c.server
	if c.NoNode || s.running("containerd") {
		return nil
	}
	if err := s.startContainerd(); err != nil {
		return err
	}
	if s.loaded {
		return nil
	}
	s.loaded = true
	c.loading = make(chan error, 1)
	go func() {
		err := s.await(ctx, "containerd", "unix", s.file(socket))
		if err == nil {
			err = s.load(ctx, append([]string{c.Own.pause}, c.Images...)...)
		}
		c.loading <- err
	}()
	return nil
}

// Proceed executes what needs the API, which is ready. Those that run already are left alone.
func (c *Cluster) Proceed(ctx context.Context) error {
	s := c.server
	if err := s.execute("kube-controller-manager", controllerManagerArgs(c.keys.dir)); err != nil {
		return err
	}
	if err := s.execute("kube-scheduler", schedulerArgs(c.keys.dir)); err != nil || c.NoNode {
		return err
	}
	if c.loading != nil {
		err := <-c.loading
		if c.loading = nil; err != nil {
			return err
		}
	}
	return s.startNode(ctx, c.keys.dir)
}

// Complete adds cluster DNS and the right to join, and returns when DNS is ready.
func (c *Cluster) Complete(ctx context.Context) error {
	if err := c.server.load(ctx, c.Own.dns); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	if err := create(ctx, client); err != nil {
		return fmt.Errorf("adding cluster DNS: %w", err)
	}
	return dnsReady(ctx, client)
}

// order is that in which the server's programs end: nobody is to miss what it needs.
var order = []string{"kubelet", "kube-proxy", "kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd", "containerd"}

// Stop asks all programs on the server to end and returns when they have; containers live on. Idempotent.
func (c *Cluster) Stop() error {
	var errs []error
	for _, name := range order {
		errs = append(errs, c.server.stop(name))
	}
	return errors.Join(errs...)
}

// Kill ends etcd and the API server with kill -9. Idempotent.
func (c *Cluster) Kill() error {
	return errors.Join(c.server.kill("kube-apiserver"), c.server.kill("etcd"))
}

// Add makes the machine of another agent and returns its name. Nothing runs there. Complete must have returned.
func (c *Cluster) Add() (name string, err error) {
	n := c.newNode(1 + len(c.agents))
	if err := n.make(c.keys.dir); err != nil {
		return "", err
	}
	c.agents = append(c.agents, n)
	return n.name, c.keys.writeBootstrap(n.file("bootstrap.conf"))
}

// Join executes containerd, kubelet and proxy on the agent that was added last, and returns at once when they are on their way.
func (c *Cluster) Join(ctx context.Context) error {
	n := c.agents[len(c.agents)-1]
	if err := n.startContainerd(); err != nil {
		return err
	}
	return n.startNode(ctx, c.keys.dir)
}

// ServerProcesses are those that make the server: all its programs and, of all that runs in Pods, CoreDNS.
func (c *Cluster) ServerProcesses() ([]int, error) {
	pids := c.server.pids()
	if c.NoNode {
		return pids, nil
	}
	dns, err := containerProcesses("/coredns")
	if err == nil && len(dns) != 1 {
		err = fmt.Errorf("CoreDNS runs %d times", len(dns))
	}
	return append(pids, dns...), err
}

// AgentProcesses are those of the agent that was added last.
func (c *Cluster) AgentProcesses() []int { return c.agents[len(c.agents)-1].pids() }

// URL is where the API is.
func (c *Cluster) URL() string { return c.keys.url }

// AdminConfig is the administrator's client configuration.
func (c *Cluster) AdminConfig() (*rest.Config, error) {
	return clientcmd.BuildConfigFromFlags("", c.keys.admin())
}

func (c *Cluster) client() (kubernetes.Interface, error) {
	config, err := c.AdminConfig()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// LastWords are the ends of the server's logs.
func (c *Cluster) LastWords() string { return c.server.lastWords() }

// Down ends and removes all of the cluster. Idempotent.
func (c *Cluster) Down() error {
	var errs []error
	for _, n := range append(c.agents, c.server) {
		errs = append(errs, n.destroy())
	}
	errs = append(errs, link.Remove())
	return errors.Join(append(errs, removeCgroup(c.CgroupRoot), os.RemoveAll(c.Dir))...)
}

// removeCgroup removes a cgroup whose processes have ended. The kernel may need a moment to notice.
func removeCgroup(path string) error {
	for range 100 {
		nodens.RemoveCgroup(path)
		left, err := filepath.Glob(filepath.Join("/sys/fs/cgroup/*", path))
		if _, unified := os.Stat(filepath.Join("/sys/fs/cgroup", path)); err != nil || len(left) == 0 && unified != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("cgroup %s stays", path)
}
