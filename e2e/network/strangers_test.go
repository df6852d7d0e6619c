package network_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestTunnelsTakeNothingFromStrangers sends to a Pod through the tunnel from a machine that is no node, until it is one.
func TestTunnelsTakeNothingFromStrangers(t *testing.T) {
	l, pods, client := start(t)
	c := l.all["c"]
	arrived := make(chan string, 100)
	in(t, pods["c"].ns, func() {
		conn, err := net.ListenPacket("udp4", ":82")
		must(t, err)
		t.Cleanup(func() { conn.Close() })
		go func() {
			buffer := make([]byte, 64)
			for {
				n, _, err := conn.ReadFrom(buffer)
				if err != nil {
					return
				}
				arrived <- string(buffer[:n])
			}
		}()
	})
	// The router knows all that a node knows of the tunnel's other end.
	in(t, l.router, func() {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "stranger"
		must(t, netlink.LinkAdd(&netlink.Vxlan{LinkAttrs: attrs, VxlanId: 7463, Group: ip(c.address), SrcAddr: ip("10.99.2.254"), Port: 8472}))
		up(t, "stranger")
		link, err := netlink.LinkByName("stranger")
		must(t, err)
		hardware := append(net.HardwareAddr{0x0e, 0x58}, ip(c.address).To4()...)
		must(t, netlink.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT, IP: ip("10.244.3.1"), HardwareAddr: hardware}))
		_, pods, err := net.ParseCIDR("10.244.3.0/24")
		must(t, err)
		must(t, netlink.RouteAdd(&netlink.Route{Dst: pods, Gw: ip("10.244.3.1"), LinkIndex: link.Attrs().Index, Flags: int(netlink.FLAG_ONLINK)}))
	})
	shout := func(word string) {
		in(t, l.router, func() {
			conn, err := net.Dial("udp4", pods["c"].address+":82")
			must(t, err)
			defer conn.Close()
			_, err = conn.Write([]byte(word))
			must(t, err)
		})
	}
	eventually(t, "the tunnel of c is closed to strangers", func() error {
		if got := output(t, c.ns, "iptables -S CORACLE-TUNNEL"); !strings.Contains(got, "-s 10.99.1.1/32") {
			return fmt.Errorf("%s", got)
		}
		return nil
	})
	for range 10 {
		shout("stranger")
	}
	create(t, client, &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "router"},
		Status:     corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.99.2.254"}}},
	})
	for end := time.Now().Add(2 * time.Minute); ; {
		shout("node")
		select {
		case word := <-arrived:
			if word != "node" {
				t.Error("what a stranger sends through the tunnel arrives")
			}
			return
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(end) {
			t.Fatalf("waited 2 min for a new node to be heard\n%s", output(t, c.ns, "iptables -S CORACLE-TUNNEL"))
		}
	}
}
