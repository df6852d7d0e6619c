package runtime_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/leases"

	"github.com/coracle-k8s/coracle/e2e/nodens"
	"github.com/coracle-k8s/coracle/kubelet/runtime/containerd"
)

// What nobody knows is made here by not saying that it is known.
func TestSweepRemovesWhatNobodyKnows(t *testing.T) {
	nodens.Need(t)
	n := start(t, newConfig(t))
	n.load(t)
	n.join(t)
	sandbox, container := n.pod(t, "known")
	_, lost := n.pod(t, "lost")
	_, killed := n.pod(t, "killed")
	killShimOf(t, killed)
	c, err := client.New(n.Endpoint(), client.WithDefaultNamespace("k8s.io"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	begun := leaseOf(t, c, "begun", strings.Repeat("ab", 32))
	theirs := strings.Repeat("cd", 32)
	if _, err := c.ContainerService().Create(t.Context(), containers.Container{ID: theirs, Runtime: containers.RuntimeInfo{Name: "theirs"}}); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(containerd.StateDir(n.config.DataDir), "runc", "k8s.io", theirs), 0o700); err != nil {
		t.Fatal(err)
	}
	pulls := leaseOf(t, c, "pulls", "extract-1234 sha256:5678")

	known := func(context.Context) (map[string]bool, error) {
		return map[string]bool{sandbox: true, container: true}, nil
	}
	sweep := func(before time.Time) {
		t.Helper()
		if err := containerd.Sweep(t.Context(), n.config, before, known); err != nil {
			t.Fatal(err)
		}
	}
	sweep(time.Now().Add(-time.Hour))
	if len(processesOf(lost)) == 0 || !slices.Contains(held(t, c), begun) {
		t.Fatal("what may be being made was removed")
	}
	state := containerd.StateDir(n.config.DataDir)
	eventually(t, "but one shim's socket is gone", func() bool { // a shim that was alive ends by and by
		sweep(time.Now())
		return len(glob(t, filepath.Join(state, "s", "*"))) == 1
	})
	if left := append(processesOf(lost), processesOf(killed)...); len(left) > 0 {
		t.Errorf("processes of containers that nobody knows are left: %v", left)
	}
	if records := glob(t, filepath.Join(state, "runc", "*", "*")); len(records) != 3 {
		t.Errorf("records of runc are %v, want two, and one of somebody else", records)
	}
	if _, err := c.LoadContainer(t.Context(), lost); err == nil {
		t.Error("the record of a container that nobody knows is left")
	}
	if left := held(t, c); slices.Contains(left, begun) || !slices.Contains(left, pulls) || !slices.Contains(left, sandbox) || len(left) != 2 {
		t.Errorf("leases are %v, want %s and %s", left, pulls, sandbox)
	}
	if _, err := c.LoadContainer(t.Context(), theirs); err != nil {
		t.Errorf("somebody else's container: %v", err)
	}
	if out := n.exec(t, container, "sh", "-c", "echo well"); strings.TrimSpace(out) != "well" {
		t.Errorf("a container that is known says %q", out)
	}
}

// leaseOf makes a lease that holds a snapshot.
func leaseOf(t *testing.T, c *client.Client, id, key string) string {
	t.Helper()
	l, err := c.LeasesService().Create(t.Context(), leases.WithID(id), leases.WithExpiration(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.SnapshotService("").Prepare(leases.WithLease(t.Context(), l.ID), key, ""); err != nil {
		t.Fatal(err)
	}
	return id
}

func held(t *testing.T, c *client.Client) (ids []string) {
	t.Helper()
	list, err := c.LeasesService().List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		ids = append(ids, l.ID)
	}
	return ids
}
