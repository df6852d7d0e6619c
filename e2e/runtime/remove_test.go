package runtime_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/coracle-k8s/coracle/e2e/nodens"
	"github.com/coracle-k8s/coracle/kubelet/network"
	"github.com/coracle-k8s/coracle/kubelet/resources"
	"github.com/coracle-k8s/coracle/kubelet/runtime/containerd"
)

func TestRemoveAllLeavesNothing(t *testing.T) {
	nodens.Need(t)
	n := start(t, newConfig(t))
	n.load(t)
	net := n.join(t)
	_, container := n.pod(t, "a")
	_, orphan := n.pod(t, "b")
	n.Stop()
	killShimOf(t, orphan)

	groups, err := resources.New(resources.Config{Root: nodens.CgroupRoot()})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to do
		if err := containerd.RemoveAll(t.Context(), n.config); err != nil {
			t.Fatalf("RemoveAll: %v", err)
		}
		if err := groups.RemoveAll(); err != nil {
			t.Fatalf("removing cgroups: %v", err)
		}
		if err := net.Remove(); err != nil {
			t.Fatalf("removing the network: %v", err)
		}
	}
	if left := append(processesOf(container), processesOf(orphan)...); len(left) > 0 {
		t.Errorf("processes of containers are left: %v", left)
	}
	for _, path := range glob(t, "/proc/[0-9]*/cmdline") {
		if content, err := os.ReadFile(path); err == nil && strings.Contains(string(content), n.Endpoint()) {
			t.Errorf("%s is left: %q", path, content)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{n.config.DataDir, containerd.StateDir(n.config.DataDir)} {
		if strings.Contains(string(mounts), dir) {
			t.Errorf("something is mounted beneath %s:\n%s", dir, mounts)
		}
	}
	if _, err := os.Stat(containerd.StateDir(n.config.DataDir)); !os.IsNotExist(err) {
		t.Errorf("the state directory: %v", err)
	}
	if _, err := netlink.LinkByName(network.Bridge); err == nil {
		t.Error("the bridge is left")
	}
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if strings.HasPrefix(l.Attrs().Name, "veth") {
			t.Errorf("link %s is left", l.Attrs().Name)
		}
	}
	for _, path := range glob(t, filepath.Join("/sys/fs/cgroup/*", nodens.CgroupRoot(), "*")) {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			t.Errorf("cgroup %s is left", path)
		}
	}
}

// killShimOf kills the shim of a container, which goes on without it.
func killShimOf(t *testing.T, container string) {
	t.Helper()
	pids := processesOf(container)
	if len(pids) == 0 {
		t.Fatal("the container has no process")
	}
	status, err := os.ReadFile(filepath.Join("/proc", pids[0], "status"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "PPid:")
	kill(t, strings.Fields(rest)[0])
}
