package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/manager"

	"github.com/coracle-k8s/coracle/e2e/machines"
	"github.com/coracle-k8s/coracle/kubelet/images"
)

// node is a machine with what runs on it. The server is one even if the cluster has no node there.
type node struct {
	machine *machines.Machine
	name    string
	number  int // 0 is the server's
	address netip.Addr
	// dir holds what it keeps on disk, programs is where its programs are, cgroup is its root.
	dir, programs, cgroup string
	// loaded says that its containerd was given its images.
	loaded    bool
	processes map[string]*process
}

func (c *Cluster) newNode(number int) *node {
	n := &node{name: "server", number: number, programs: c.Programs, processes: map[string]*process{}}
	if number > 0 {
		n.name = fmt.Sprintf("agent%d", number)
	}
	n.dir, n.cgroup = filepath.Join(c.Dir, n.name), filepath.Join("/", c.CgroupRoot, n.name)
	address := link.Router.Masked().Addr().As4()
	address[3] = byte(number + 1)
	n.address = netip.AddrFrom4(address)
	return n
}

func (n *node) server() bool { return n.number == 0 }

// file is one in the node's folder.
func (n *node) file(name string) string { return filepath.Join(n.dir, name) }

// places are the folders that each node has for itself, on disk.
var places = []string{"/var/lib/kubelet", "/var/lib/cni", "/etc/cni", "/var/log/pods", "/var/log/containers"}

// make makes the machine, with a cgroup and all configuration.
func (n *node) make(keys string) error {
	folders := map[string]string{}
	for _, place := range places {
		folders[place] = n.file("root" + place)
		if err := os.MkdirAll(folders[place], 0o755); err != nil {
			return err
		}
	}
	network := filepath.Join(folders["/etc/cni"], "net.d")
	if err := os.MkdirAll(network, 0o755); err != nil {
		return err
	}
	for path, content := range map[string]string{
		n.file("containerd.toml"):                   containerdConfig(n.dir, n.programs),
		n.file("kubelet.yaml"):                      kubeletConfig(n.dir, keys, n.cgroup),
		filepath.Join(network, "10-bench.conflist"): networkConfig(n.number),
	} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	if err := makeCgroup(n.cgroup); err != nil {
		return fmt.Errorf("making cgroup %s: %w", n.cgroup, err)
	}
	m, err := machines.New(machines.Settings{Name: n.name, Folders: folders})
	if err != nil {
		return err
	}
	n.machine = m
	return link.Connect(m, n.address)
}

// makeCgroup makes a cgroup in all hierarchies, ready for Pods beneath it.
func makeCgroup(path string) error {
	m, err := manager.New(&cgroups.Cgroup{Path: path, Resources: &cgroups.Resources{}})
	if err != nil {
		return err
	}
	return m.Apply(-1) // no process joins
}

// startContainerd executes containerd, which finds shim and runc in the programs' folder.
func (n *node) startContainerd() error {
	return n.execute("containerd", []string{"--config=" + n.file("containerd.toml")})
}

// startNode executes kubelet and proxy as soon as containerd answers.
func (n *node) startNode(ctx context.Context, keys string) error {
	if err := n.await(ctx, "containerd", "unix", n.file(socket)); err != nil {
		return err
	}
	if err := n.execute("kubelet", kubeletArgs(n)); err != nil {
		return err
	}
	return n.execute("kube-proxy", proxyArgs(n, keys))
}

// load has containerd load archives.
func (n *node) load(ctx context.Context, archives ...string) error {
	for _, path := range archives {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = images.Import(ctx, n.file(socket), f)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("loading %s: %w", path, err)
		}
	}
	return nil
}

// await returns when one of the node's programs takes connections. It gives up with ctx, or when the program has ended.
func (n *node) await(ctx context.Context, name, network, address string) error {
	for {
		conn, err := net.Dial(network, address)
		if err == nil {
			return conn.Close()
		}
		if ctx.Err() != nil {
			return fmt.Errorf("waiting until %s answers: %w", name, err)
		}
		if !n.running(name) {
			return fmt.Errorf("%s has ended on %s:\n%s", name, n.name, n.lastWords())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// lastWords are the ends of all logs.
func (n *node) lastWords() string {
	const most = 1500
	var all strings.Builder
	logs, _ := filepath.Glob(n.file("*.log"))
	for _, path := range logs {
		content, err := os.ReadFile(path)
		if err != nil {
			content = []byte(err.Error())
		}
		fmt.Fprintf(&all, "%s: ...%s\n", filepath.Base(path), content[max(0, len(content)-most):])
	}
	return all.String()
}

// pids are those of all programs that run.
func (n *node) pids() []int {
	var pids []int
	for name, p := range n.processes {
		if n.running(name) {
			pids = append(pids, p.cmd.Process.Pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// destroy ends and removes the machine. Idempotent.
func (n *node) destroy() error {
	if n == nil || n.machine == nil {
		return nil
	}
	return errors.Join(n.machine.Destroy(), link.Disconnect(n.machine))
}
