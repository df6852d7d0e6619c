// Package network_test walks packets between Pods of several machines: network namespaces that each have the Pod network of the
// kubelet, its plugin and the Service proxy, as a node has them.
package network_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/nodens"
)

func TestMain(m *testing.M) { os.Exit(nodens.Main(m, "cpn-")) }

// lab is three machines, two of them on one link. The router, which is also the world outside, knows nothing of Pods.
//
//	a 10.99.1.1 ---+--- 10.99.1.254 router 10.99.2.254 --- c 10.99.2.1
//	b 10.99.1.2 ---+
type lab struct {
	t      *testing.T
	router netns.NsHandle
	plugin string
	// alwaysTunnel and tunnelPort are options of all machines.
	alwaysTunnel bool
	tunnelPort   int
	// dual gives all machines and Pods IPv6 addresses besides.
	dual bool
	all  map[string]*machine
}

// mtu of all links.
const mtu = 1500

func newLab(t *testing.T, options ...func(*lab)) *lab {
	t.Helper()
	nodens.Need(t)
	plugin, err := buildPlugin()
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, router: newNamespace(t), plugin: plugin, all: map[string]*machine{}}
	for _, o := range options {
		o(l)
	}
	in(t, l.router, func() {
		bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "link1"}}
		must(t, netlink.LinkAdd(bridge))
		address(t, "link1", "10.99.1.254/24")
		if l.dual {
			address(t, "link1", "fd99:1::fe/64")
		}
		up(t, "lo")
	})
	sysctl(t, l.router, "net/ipv4/ip_forward", "1")
	sysctl(t, l.router, "net/ipv6/conf/all/forwarding", "1")
	for i, name := range []string{"a", "b", "c"} {
		m := newMachine(l, name, i+1)
		l.all[name] = m
		if name == "c" {
			m.connect("10.99.2.1", "10.99.2.254", "", "10.99.2.254/24")
			m.connect6("fd99:2::1", "fd99:2::fe", "fd99:2::fe/64")
		} else {
			m.connect(fmt.Sprintf("10.99.1.%d", i+1), "10.99.1.254", "link1", "")
			m.connect6(fmt.Sprintf("fd99:1::%d", i+1), "fd99:1::fe", "")
		}
	}
	return l
}

// buildPlugin compiles the network plugin as it is in the tree, to a folder that ends with the namespaces of all tests.
var buildPlugin = sync.OnceValues(func() (string, error) {
	const path = "/run/coracle-net"
	ctx, cancel := context.WithTimeout(context.Background(), 3*await.Limit) // it compiles, perhaps beside other work
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/coracle-k8s/coracle/cmd/coracle-net")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the network plugin: %w\n%s", err, out)
	}
	return path, nil
})

func newNamespace(t *testing.T) netns.NsHandle {
	t.Helper()
	made := make(chan netns.NsHandle, 1)
	go func() {
		defer close(made)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		ns, err := netns.New()
		if err != nil {
			t.Errorf("making a network namespace: %v", err)
			return
		}
		made <- ns
	}()
	ns, ok := <-made
	if !ok {
		t.FailNow()
	}
	t.Cleanup(func() { ns.Close() })
	return ns
}

// in runs a function in a namespace, on a thread of its own. Sockets made there stay there.
func in(t *testing.T, ns netns.NsHandle, do func()) {
	t.Helper()
	done := make(chan bool, 1)
	go func() {
		finished := false
		defer func() { done <- finished }()
		runtime.LockOSThread()
		must(t, netns.Set(ns))
		do()
		finished = true
	}()
	if !await.Receive(t, done, "the function in the namespace returned") {
		t.FailNow()
	}
}

// must ends the goroutine, and with it the test, after an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("in a network namespace: %v", err)
		runtime.Goexit()
	}
}

func address(t *testing.T, name, cidr string) {
	t.Helper()
	link, err := netlink.LinkByName(name)
	must(t, err)
	parsed, err := netlink.ParseAddr(cidr)
	must(t, err)
	if parsed.IP.To4() == nil {
		parsed.Flags = unix.IFA_F_NODAD
	}
	must(t, netlink.AddrAdd(link, parsed))
	must(t, netlink.LinkSetUp(link))
}

func up(t *testing.T, name string) {
	t.Helper()
	link, err := netlink.LinkByName(name)
	must(t, err)
	must(t, netlink.LinkSetUp(link))
}

func sysctl(t *testing.T, ns netns.NsHandle, name, value string) {
	t.Helper()
	in(t, ns, func() { must(t, os.WriteFile("/proc/sys/"+name, []byte(value), 0o644)) })
}

// eventually fails the test unless something holds within minutes.
func eventually(t *testing.T, what string, holds func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = holds(); err == nil {
			return
		}
	}
	t.Fatalf("waited 2 min until %s: %v", what, err)
}

// output runs a program in a namespace and returns what it prints.
func output(t *testing.T, ns netns.NsHandle, command string) string {
	t.Helper()
	var text string
	in(t, ns, func() {
		parts := strings.Fields(command)
		out, err := await.Command(t, parts[0], parts[1:]...).CombinedOutput()
		text = string(out)
		if err != nil {
			text += err.Error()
		}
	})
	return text
}

func rangeOf(i int) netip.Prefix { return netip.MustParsePrefix(fmt.Sprintf("10.244.%d.0/24", i)) }

func range6(i int) netip.Prefix { return netip.MustParsePrefix(fmt.Sprintf("fd00:%d::/64", i)) }

func ip(text string) net.IP { return net.ParseIP(text) }
