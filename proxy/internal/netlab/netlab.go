// Package netlab builds small networks of kernel namespaces for tests.
package netlab

import (
	"net"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/coracle-k8s/coracle/guard"
)

// Lab is a node with a bridge for Pods, two Pods on it, and a host outside:
//
//	outside 192.0.2.2 --- 192.0.2.1 node 10.244.0.1 --- bridge --- pods 10.244.0.2, 10.244.0.3
//
// Namespaces have no names: they vanish with the test's process whatever happens.
type Lab struct {
	t                         *testing.T
	Node, PodA, PodB, Outside netns.NsHandle
}

// Bridge is the name of the node's bridge.
const Bridge = "cnet-br0"

// New builds a lab, or skips the test and says why it cannot.
func New(t *testing.T) *Lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for network namespaces")
	}
	if _, err := exec.LookPath("iptables-restore"); err != nil {
		t.Skip("needs the program iptables-restore (Debian: apt-get install iptables)")
	}
	l := &Lab{t: t}
	for _, ns := range []*netns.NsHandle{&l.Node, &l.PodA, &l.PodB, &l.Outside} {
		*ns = l.namespace()
	}
	l.build()
	return l
}

func (l *Lab) namespace() netns.NsHandle {
	made := make(chan netns.NsHandle, 1)
	guard.Go("making a namespace", func() {
		defer close(made)
		// Never unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		ns, err := netns.New()
		if err != nil {
			l.t.Errorf("making a network namespace: %v", err)
			return
		}
		made <- ns
	})
	ns, ok := <-made
	if !ok {
		l.t.FailNow()
	}
	l.t.Cleanup(func() { ns.Close() })
	return ns
}

func (l *Lab) build() {
	l.In(l.Node, func() {
		bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: Bridge}}
		l.must(netlink.LinkAdd(bridge))
		l.address(Bridge, "10.244.0.1/24")
		l.join("podA", l.PodA, bridge)
		l.join("podB", l.PodB, bridge)
		l.join("eth0", l.Outside, nil)
		l.address("eth0", "192.0.2.1/24")
		l.up("lo")
		for _, setting := range []string{"net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"} {
			l.must(os.WriteFile("/proc/sys/"+setting, []byte("1"), 0o644))
		}
	})
	for ns, address := range map[netns.NsHandle]string{l.PodA: "10.244.0.2/24", l.PodB: "10.244.0.3/24"} {
		l.In(ns, func() {
			l.address("eth0", address)
			l.up("lo")
			l.must(netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP("10.244.0.1")}))
		})
	}
	l.In(l.Outside, func() {
		l.address("eth0", "192.0.2.2/24")
		_, services, _ := net.ParseCIDR("10.96.0.0/16")
		l.must(netlink.RouteAdd(&netlink.Route{Dst: services, Gw: net.ParseIP("192.0.2.1")}))
	})
}

// join makes a cable from the present namespace to eth0 in another.
func (l *Lab) join(name string, peer netns.NsHandle, bridge *netlink.Bridge) {
	far := "far-" + name
	l.must(netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: far}))
	link, err := netlink.LinkByName(far)
	l.must(err)
	l.must(netlink.LinkSetNsFd(link, int(peer)))
	near, err := netlink.LinkByName(name)
	l.must(err)
	if bridge != nil {
		l.must(netlink.LinkSetMaster(near, bridge))
		l.must(netlink.LinkSetHairpin(near, true))
	}
	l.must(netlink.LinkSetUp(near))
	l.In(peer, func() {
		link, err := netlink.LinkByName(far)
		l.must(err)
		l.must(netlink.LinkSetName(link, "eth0"))
	})
}

func (l *Lab) address(name, address string) {
	link, err := netlink.LinkByName(name)
	l.must(err)
	parsed, err := netlink.ParseAddr(address)
	l.must(err)
	l.must(netlink.AddrAdd(link, parsed))
	l.must(netlink.LinkSetUp(link))
}

func (l *Lab) up(name string) {
	link, err := netlink.LinkByName(name)
	l.must(err)
	l.must(netlink.LinkSetUp(link))
}

func (l *Lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Errorf("in a network namespace: %v", err)
		runtime.Goexit()
	}
}

// In runs a function in a namespace, on a thread of its own. Sockets made
// there stay there. The test ends with the function's goroutine.
func (l *Lab) In(ns netns.NsHandle, do func()) {
	l.t.Helper()
	done := make(chan struct{})
	finished := false
	guard.Go("acting in a namespace", func() {
		defer close(done)
		runtime.LockOSThread()
		l.must(netns.Set(ns))
		do()
		finished = true
	})
	<-done
	if !finished {
		l.t.FailNow()
	}
}

// Serve answers in a namespace at a TCP port: with a name and the client's address.
func (l *Lab) Serve(ns netns.NsHandle, port, name string) {
	l.t.Helper()
	l.In(ns, func() {
		listener, err := net.Listen("tcp4", ":"+port)
		l.must(err)
		l.t.Cleanup(func() { listener.Close() })
		guard.Go("serving in a namespace", func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
				conn.Write([]byte(name + " " + host))
				conn.Close()
			}
		})
	})
}

// ServeUDP answers every datagram in a namespace at a port with a name.
func (l *Lab) ServeUDP(ns netns.NsHandle, port, name string) {
	l.t.Helper()
	l.In(ns, func() {
		conn, err := net.ListenPacket("udp4", ":"+port)
		l.must(err)
		l.t.Cleanup(func() { conn.Close() })
		guard.Go("serving in a namespace", func() {
			buffer := make([]byte, 512)
			for {
				_, from, err := conn.ReadFrom(buffer)
				if err != nil {
					return
				}
				conn.WriteTo([]byte(name), from)
			}
		})
	})
}

// Ask connects from a namespace and returns the answer, or the error's text.
// A datagram is sent where network is udp4.
func (l *Lab) Ask(ns netns.NsHandle, network, address string) string {
	l.t.Helper()
	var answer string
	l.In(ns, func() {
		conn, err := net.DialTimeout(network, address, 2*time.Second)
		if err != nil {
			answer = err.Error()
			return
		}
		defer conn.Close()
		answer = Talk(conn)
	})
	return answer
}

// Talk sends a word over a connection and returns the answer, or the error's text.
func Talk(conn net.Conn) string {
	conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("hello")); err != nil {
		return err.Error()
	}
	buffer := make([]byte, 512)
	n, err := conn.Read(buffer)
	if err != nil {
		return err.Error()
	}
	return string(buffer[:n])
}
