package runtime_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/nodens"
)

func TestRemovedPodGivesBackItsAddress(t *testing.T) {
	nodens.Need(t)
	n := start(t, newConfig(t))
	n.load(t)
	n.join(t)
	before := veths(t)
	sandbox, _ := n.pod(t, "a")
	if got := veths(t) - before; got != 1 {
		t.Errorf("a Pod has %d links", got)
	}
	if held := glob(t, filepath.Join(n.config.DataDir, "network", "10.*")); len(held) != 1 {
		t.Errorf("addresses in use: %v", held)
	}
	if err := n.runtime.StopPodSandbox(t.Context(), sandbox); err != nil {
		t.Fatal(err)
	}
	if err := n.runtime.RemovePodSandbox(t.Context(), sandbox); err != nil {
		t.Fatal(err)
	}
	if got := veths(t) - before; got != 0 {
		t.Errorf("%d links are left", got)
	}
	if held := glob(t, filepath.Join(n.config.DataDir, "network", "10.*")); len(held) != 0 {
		t.Errorf("addresses still in use: %v", held)
	}
}

func veths(t *testing.T) int {
	t.Helper()
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, l := range links {
		if l.Type() == "veth" && strings.HasPrefix(l.Attrs().Name, "veth") {
			count++
		}
	}
	return count
}

// plugin executes the network plugin as a container runtime does.
type plugin struct {
	t      *testing.T
	binary string
	config map[string]any
}

func (p plugin) call(command, container string) ([]byte, error) {
	p.t.Helper()
	stdin, err := json.Marshal(p.config)
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := await.Command(p.t, p.binary)
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.Env = []string{"CNI_COMMAND=" + command, "CNI_CONTAINERID=" + container, "CNI_NETNS=/run/netns/" + container, "CNI_IFNAME=eth0", "CNI_PATH=/"}
	began := time.Now()
	out, err := cmd.Output()
	p.t.Logf("%s took %s", command, time.Since(began).Round(100*time.Microsecond))
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return out, err
}

// newNamespace makes a network namespace with a name, for the time of a test.
func newNamespace(t *testing.T, name string) {
	t.Helper()
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock it: the thread ends, in the new namespace, with this function
		ns, err := netns.NewNamed(name)
		if err == nil {
			ns.Close()
		}
		made <- err
	}()
	if err := await.Receive(t, made, "a network namespace"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := netns.DeleteNamed(name); err != nil {
			t.Error(err)
		}
	})
}

func TestPluginVerbs(t *testing.T) {
	nodens.Need(t)
	n := start(t, newConfig(t)) // unpacks the plugin
	p := plugin{t: t, binary: filepath.Join(n.config.DataDir, "bin/current/coracle-net"), config: map[string]any{
		"cniVersion": "1.1.0", "name": "test", "type": "coracle-net", "bridge": "test0", "mtu": 1400,
		"subnets": []string{"10.7.0.0/24", "fd07::/64"}, "dataDir": filepath.Join(n.config.DataDir, "test-network"),
	}}
	t.Cleanup(func() {
		if l, err := netlink.LinkByName("test0"); err == nil {
			netlink.LinkDel(l)
		}
	})
	for _, container := range []string{"one", "two"} {
		newNamespace(t, container)
	}
	must := func(command, container string) []byte {
		t.Helper()
		out, err := p.call(command, container)
		if err != nil {
			t.Fatalf("%s %s: %v", command, container, err)
		}
		return out
	}
	must("STATUS", "")
	must("VERSION", "")
	var result map[string]any
	if err := json.Unmarshal(must("ADD", "one"), &result); err != nil {
		t.Fatal(err)
	}
	must("ADD", "two")
	if got := fmt.Sprint(result["ips"]); !strings.Contains(got, "10.7.0.2/24") || !strings.Contains(got, "fd07::2/64") {
		t.Errorf("addresses %s", got)
	}
	for _, address := range []string{"10.7.0.3", "fd07::3", "10.7.0.1", "fd07::1"} {
		if out, err := await.Command(t, "nsenter", "--net=/run/netns/one", "busybox", "ping", "-c1", "-W2", address).CombinedOutput(); err != nil {
			t.Errorf("one does not reach %s: %v: %s", address, err, out)
		}
	}
	p.config["prevResult"] = result
	must("CHECK", "one")
	if out, err := await.Command(t, "nsenter", "--net=/run/netns/one", "busybox", "ip", "addr", "del", "10.7.0.2/24", "dev", "eth0").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if _, err := p.call("CHECK", "one"); err == nil {
		t.Error("CHECK does not see that the address is gone")
	}
	if _, err := p.call("ADD", "missing"); err == nil {
		t.Error("ADD to a namespace that does not exist succeeds")
	}
	p.config["cni.dev/valid-attachments"] = []map[string]string{{"containerID": "two", "ifname": "eth0"}}
	must("GC", "")
	held := glob(t, filepath.Join(n.config.DataDir, "test-network", "[0-9a-f]*:*"))
	held = append(held, glob(t, filepath.Join(n.config.DataDir, "test-network", "10.*"))...)
	for _, path := range held {
		if owner, err := os.Readlink(path); err != nil || owner != "two:eth0" {
			t.Errorf("%s is still %s's, %v", path, owner, err)
		}
	}
	for range 2 {
		must("DEL", "two")
	}
	if held := glob(t, filepath.Join(n.config.DataDir, "test-network", "10.*")); len(held) != 0 {
		t.Errorf("addresses still in use: %v", held)
	}
}
