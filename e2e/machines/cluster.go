package machines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/coracle-k8s/coracle/e2e/nodens"
)

// Config is what a cluster is to be.
type Config struct {
	// Dir holds all of it: state, data directories and logs of the nodes. Sockets are beneath it: its path must be short.
	Dir string `json:"dir"`
	// Program is the coracle binary.
	Program string `json:"program"`
	// Agents is how many nodes join the server's own.
	Agents int `json:"agents"`
	// Routed puts the agents on a link of their own, behind a router.
	Routed bool `json:"routed"`
	// CgroupRoot is a cgroup of the cluster's own, as a path beneath each hierarchy's root. Nodes have theirs in it.
	CgroupRoot string `json:"cgroupRoot"`
	// ServerFlags and AgentFlags are handed on to coracle.
	ServerFlags []string `json:"serverFlags,omitempty"`
	AgentFlags  []string `json:"agentFlags,omitempty"`
	// Images are archives that every node loads when it starts.
	Images []string `json:"images,omitempty"`
	// Registries is a folder of registry configurations (NAME/hosts.toml) for every node's container runtime.
	Registries string `json:"registries,omitempty"`
}

// Cluster is a server and its agents, each on a machine of its own. Methods are for one caller at a time.
type Cluster struct {
	Config
	// Nodes are the server and then the agents.
	Nodes []*Node `json:"nodes"`
}

// The links: all machines are on the first, or the agents of a routed cluster on the second.
var links = [2]Link{
	{Bridge: "link0", Router: netip.MustParsePrefix("172.30.0.254/24")},
	{Bridge: "link1", Router: netip.MustParsePrefix("172.30.1.254/24")},
}

const stateFile = "cluster.json"

// Create makes a cluster of no nodes yet: see Up. There can be one in a network namespace.
func Create(c Config) (*Cluster, error) {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return nil, err
	}
	made := &Cluster{Config: c}
	return made, errors.Join(layLinks(), made.save())
}

func layLinks() error {
	for _, l := range links {
		if err := l.Lay(); err != nil {
			return err
		}
	}
	return nil
}

// Open finds a cluster that was created in dir.
func Open(dir string) (*Cluster, error) {
	content, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's state: %w", err)
	}
	c := new(Cluster)
	if err := json.Unmarshal(content, c); err != nil {
		return nil, fmt.Errorf("reading the cluster's state: %w", err)
	}
	for _, n := range c.Nodes {
		n.cluster = c
	}
	return c, nil
}

func (c *Cluster) save() error {
	content, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	file := filepath.Join(c.Dir, stateFile)
	if err := os.WriteFile(file+".new", append(content, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// Up makes what is missing of the cluster, machines that were destroyed among it, starts what does not run, and returns when all
// nodes are Ready. Each step is told.
func (c *Cluster) Up(ctx context.Context, tell func(step string)) error {
	if err := layLinks(); err != nil {
		return err
	}
	for i := range 1 + c.Agents {
		n, err := c.ensure(i)
		if err != nil {
			return err
		}
		running, err := n.Running()
		if err != nil {
			return err
		}
		if running {
			continue
		}
		tell("starting " + n.Name)
		if err := n.Start(ctx); err != nil {
			return err
		}
		if n.Server() { // the others need it
			if err := c.waitAPI(ctx); err != nil {
				return err
			}
		}
	}
	for _, n := range c.Nodes {
		start := time.Now()
		if err := n.WaitReady(ctx); err != nil {
			return err
		}
		tell(fmt.Sprintf("%s is Ready (%.1f s more)", n.Name, time.Since(start).Seconds()))
	}
	return nil
}

// Down ends and removes all of the cluster. Idempotent.
func (c *Cluster) Down() error {
	var errs []error
	for _, n := range c.Nodes {
		errs = append(errs, n.Destroy(), links[n.Link].Disconnect(&n.Machine))
	}
	for _, l := range links {
		errs = append(errs, l.Remove())
	}
	nodens.RemoveCgroup(c.CgroupRoot)
	return errors.Join(append(errs, os.RemoveAll(c.Dir))...)
}

// Node finds a node by its name.
func (c *Cluster) Node(name string) (*Node, error) {
	for _, n := range c.Nodes {
		if n.Name == name {
			return n, nil
		}
	}
	return nil, fmt.Errorf("no node %q in this cluster of %d nodes (server, agent1, ...)", name, len(c.Nodes))
}

// Server is the node that is the server.
func (c *Cluster) Server() *Node { return c.Nodes[0] }

// Agent is the i-th agent, from 1.
func (c *Cluster) Agent(i int) *Node { return c.Nodes[i] }

// ensure is the i-th node, with a machine.
func (c *Cluster) ensure(i int) (*Node, error) {
	if i == len(c.Nodes) {
		return c.AddNode()
	}
	n := c.Nodes[i]
	if n.Exists() {
		return n, nil
	}
	if err := links[n.Link].Disconnect(&n.Machine); err != nil {
		return nil, err
	}
	if err := n.make(); err != nil {
		return nil, err
	}
	return n, c.save()
}

// AddNode makes the next node's machine and connects it. Nothing runs there yet.
func (c *Cluster) AddNode() (*Node, error) {
	n := &Node{cluster: c, Number: len(c.Nodes), Machine: Machine{Name: "server"}}
	if n.Number > 0 {
		n.Name = "agent" + strconv.Itoa(n.Number)
	}
	if n.Number > 0 && c.Routed {
		n.Link = 1
	}
	address := links[n.Link].Router.Masked().Addr().As4()
	address[3] = byte(n.Number + 1)
	n.Address = netip.AddrFrom4(address)
	if err := n.make(); err != nil {
		return nil, err
	}
	c.Nodes = append(c.Nodes, n)
	c.Agents = max(c.Agents, n.Number)
	return n, c.save()
}

// URL is where the cluster's machines, and the namespaces around them, reach the API.
func (c *Cluster) URL() string { return "https://" + c.Server().Address.String() + ":6443" }

// Kubeconfig is the administrator's, for use in the namespaces around the machines.
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.Dir, "kubeconfig") }

// AdminConfig is the administrator's client configuration.
func (c *Cluster) AdminConfig() (*rest.Config, error) {
	return clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
}

// waitAPI waits until the API is ready and writes the kubeconfig.
func (c *Cluster) waitAPI(ctx context.Context) error {
	return c.Server().until(ctx, "the API is ready", func(ctx context.Context) error {
		config, err := clientcmd.LoadFromFile(filepath.Join(c.Server().DataDir(), "admin.conf"))
		if err != nil {
			return err
		}
		for _, known := range config.Clusters {
			known.Server = c.URL()
		}
		if err := clientcmd.WriteToFile(*config, c.Kubeconfig()); err != nil {
			return err
		}
		client, err := c.client()
		if err != nil {
			return err
		}
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
}
