package machines

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"golang.org/x/sys/unix"

	"github.com/coracle-k8s/coracle/e2e/nodens"
)

// Node is a machine that runs coracle.
type Node struct {
	Machine
	// Number is 0 for the server.
	Number  int        `json:"number"`
	Address netip.Addr `json:"address"`
	// Link is the number of the link that it is on.
	Link int `json:"link"`
	// Joined says that it was Ready once, and needs no token any more.
	Joined bool `json:"joined"`
	// Started is the second in which coracle was last started there: what is reported since is not an earlier one's.
	Started time.Time `json:"started"`
	// Program is the coracle binary there, if it is not the cluster's. It is for who has stopped coracle to change.
	Program string `json:"program,omitempty"`

	cluster *Cluster
}

func (n *Node) program() string { return cmp.Or(n.Program, n.cluster.Program) }

// Server says whether it is the cluster's server.
func (n *Node) Server() bool { return n.Number == 0 }

// Dir holds what the node keeps on disk.
func (n *Node) Dir() string { return filepath.Join(n.cluster.Dir, n.Name) }

// DataDir is its data directory.
func (n *Node) DataDir() string { return filepath.Join(n.Dir(), "data") }

// Log is the file with all that coracle has written there.
func (n *Node) Log() string { return filepath.Join(n.Dir(), "coracle.log") }

// CgroupRoot is the cgroup that the node has as its root.
func (n *Node) CgroupRoot() string { return filepath.Join(n.cluster.CgroupRoot, n.Name) }

// places are the folders that each node has for itself, on disk.
var places = []string{"/var/lib/kubelet", "/var/lib/cni", "/etc/cni", "/etc/containerd", "/opt/cni", "/var/log/pods", "/var/log/containers"}

// Folder is where the folder is kept that the node sees in such a place.
func (n *Node) Folder(place string) string { return filepath.Join(n.Dir(), "root", place) }

// make makes the node's machine, connected and with its images.
func (n *Node) make() error {
	folders := map[string]string{}
	for _, place := range places {
		folders[place] = n.Folder(place)
		if err := os.MkdirAll(n.Folder(place), 0o755); err != nil {
			return err
		}
	}
	if err := n.furnish(); err != nil {
		return err
	}
	m, err := New(Settings{Name: n.Name, Folders: folders})
	if err != nil {
		return err
	}
	n.Machine = *m
	if err := links[n.Link].Connect(m, n.Address); err != nil {
		return errors.Join(err, m.Destroy())
	}
	return nil
}

// furnish fills the data directory with what the node is to find in it.
func (n *Node) furnish() error {
	images := filepath.Join(n.DataDir(), "images")
	if err := os.MkdirAll(images, 0o755); err != nil {
		return err
	}
	for _, archive := range n.cluster.Images {
		archive, err := filepath.Abs(archive)
		if err != nil {
			return err
		}
		if err := os.Symlink(archive, filepath.Join(images, filepath.Base(archive))); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	registries := filepath.Join(n.DataDir(), "certs.d")
	if _, err := os.Stat(registries); err == nil || n.cluster.Registries == "" {
		return nil
	}
	if err := os.CopyFS(registries, os.DirFS(n.cluster.Registries)); err != nil {
		return fmt.Errorf("copying registry configurations: %w", err)
	}
	return nil
}

// Start starts coracle there and returns at once. An agent that has not joined yet gets a new token.
func (n *Node) Start(ctx context.Context) error {
	args := n.Args()
	if !n.Server() && !n.Joined {
		token, err := n.cluster.Token(ctx)
		if err != nil {
			return err
		}
		args = append(args, "--token", token)
	}
	return n.launch(args)
}

// Args are the arguments that coracle is started with there, but for an agent's token.
func (n *Node) Args() []string {
	args := []string{
		"--data-dir", n.DataDir(), "--node-name", n.Name, "--node-ip", n.Address.String(), "--cgroup-root", n.CgroupRoot(),
		"--eviction-hard", nodens.Pressure,
	}
	if n.Server() {
		return append(append([]string{"server"}, args...), n.cluster.ServerFlags...)
	}
	return append(append([]string{"agent", "--server", n.cluster.URL()}, args...), n.cluster.AgentFlags...)
}

// launch runs coracle in the background, with its output going to the log.
func (n *Node) launch(args []string) error {
	if err := n.begin(); err != nil {
		return err
	}
	log, err := os.OpenFile(n.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(n.program(), args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if err := n.Machine.Start(cmd); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the log says why it ended
		close(ended)
	}()
	for { // a process that has just begun is without arguments for a moment
		if running, err := n.Running(); err != nil || running {
			return err
		}
		select {
		case <-ended:
			return nil
		case <-time.After(time.Millisecond):
		}
	}
}

// begin notes when coracle is started. Nodes report to the second: where an earlier coracle may have reported in this one, it
// waits for the next.
func (n *Node) begin() error {
	if !n.Started.IsZero() {
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
	}
	n.Started = time.Now().Truncate(time.Second)
	return n.cluster.save()
}

// Token makes a token for a node that is to join.
func (c *Cluster) Token(ctx context.Context, flags ...string) (string, error) {
	s := c.Server()
	args := append([]string{"token", "create", "--data-dir", s.DataDir()}, flags...)
	out, err := s.Output(exec.CommandContext(ctx, s.program(), args...))
	return strings.TrimSpace(out), err
}

// Coracle lists the processes that run coracle on the node, of which there should be one or none, in the caller's process namespace.
func (n *Node) Coracle() ([]int, error) {
	role := "agent"
	if n.Server() {
		role = "server"
	}
	return n.Processes(n.program(), role)
}

// Running says whether coracle runs there.
func (n *Node) Running() (bool, error) {
	pids, err := n.Coracle()
	return len(pids) > 0, err
}

// Stop asks coracle to end and returns when it has; containers live on. Idempotent.
func (n *Node) Stop() error { return n.end(unix.SIGTERM) }

// Kill ends coracle with kill -9; containers live on. Idempotent.
func (n *Node) Kill() error { return n.end(unix.SIGKILL) }

func (n *Node) end(signal unix.Signal) error {
	pids, err := n.Coracle()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := end(pid, signal); err != nil {
			return fmt.Errorf("ending coracle on %s: %w", n.Name, err)
		}
	}
	return nil
}

// Partition cuts the node off from all others: nothing arrives, and nobody is told. Idempotent.
func (n *Node) Partition() error { return links[n.Link].Unplug(&n.Machine) }

// Heal undoes Partition. Idempotent.
func (n *Node) Heal() error { return links[n.Link].Plug(&n.Machine) }

// WaitReady returns when the API says that the node is Ready, by the word of the coracle that was last started there, or when
// coracle has ended there.
func (n *Node) WaitReady(ctx context.Context) error {
	client, err := n.cluster.client()
	if err != nil {
		return err
	}
	err = n.until(ctx, "node "+n.Name+" is Ready", func(ctx context.Context) error {
		node, err := client.CoreV1().Nodes().Get(ctx, n.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		return readySince(node, n.Started)
	})
	if err != nil || n.Joined {
		return err
	}
	n.Joined = true
	return n.cluster.save()
}

// readySince fails unless the Node is Ready and has said so since then.
func readySince(node *corev1.Node, started time.Time) error {
	for _, c := range node.Status.Conditions {
		switch {
		case c.Type != corev1.NodeReady:
			continue
		case c.Status != corev1.ConditionTrue:
			return errors.New(c.Message)
		case c.LastHeartbeatTime.Time.Before(started):
			return fmt.Errorf("it has not reported since it was started at %s, but at %s", started.Format(time.TimeOnly), c.LastHeartbeatTime.Format(time.TimeOnly))
		}
		return nil
	}
	return errors.New("no Ready condition")
}

// until returns when is does not fail any more. It gives up with ctx, or when coracle has ended on the node.
func (n *Node) until(ctx context.Context, what string, is func(context.Context) error) error {
	for {
		reason := is(ctx)
		if reason == nil {
			return nil
		}
		running, err := n.Running()
		if err == nil && !running {
			err = fmt.Errorf("coracle has ended on %s:\n%s", n.Name, n.lastWords())
		}
		if err == nil && ctx.Err() != nil {
			err = fmt.Errorf("gave up: %w", reason)
		}
		if err != nil {
			return fmt.Errorf("waiting until %s: %w", what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// lastWords are the end of the log.
func (n *Node) lastWords() string {
	content, err := os.ReadFile(n.Log())
	if err != nil {
		return err.Error()
	}
	const most = 2000
	return string(content[max(0, len(content)-most):])
}

func (c *Cluster) client() (kubernetes.Interface, error) {
	config, err := c.AdminConfig()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}
