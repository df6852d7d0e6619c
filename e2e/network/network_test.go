package network_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
)

// start runs all machines, and makes a Pod on each when they know the ways to one another.
func start(t *testing.T, objects ...runtime.Object) (*lab, map[string]*pod, *fake.Clientset) {
	t.Helper()
	l := newLab(t)
	client := fake.NewClientset(append(objects, l.all["a"].node(), l.all["b"].node(), l.all["c"].node())...)
	pods := map[string]*pod{}
	for _, m := range l.all {
		m.run(client)
	}
	for name, m := range l.all {
		m.eventuallyRoutes(t, 2)
		m.eventuallyTunnel(t)
		pods[name] = m.pod()
	}
	return l, pods, client
}

// eventuallyRoutes waits until the machine has a number of routes to others' Pods.
func (m *machine) eventuallyRoutes(t *testing.T, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s has %d routes", m.name, n), func() error {
		text := output(t, m.ns, "ip route show proto 202")
		if strings.Count(text, "\n") != n {
			return errors.New(text)
		}
		return nil
	})
}

// eventuallyTunnel waits until new Pods are told what fits through the tunnel.
func (m *machine) eventuallyTunnel(t *testing.T) {
	t.Helper()
	eventually(t, m.name+" has a tunnel", func() error {
		content, err := os.ReadFile(m.file())
		if !strings.Contains(string(content), fmt.Sprintf(`"routeMTU": %d`, mtu-50)) {
			return fmt.Errorf("%s: %w", content, err)
		}
		return nil
	})
}

func (m *machine) has(t *testing.T, link string) bool {
	t.Helper()
	return strings.Contains(output(t, m.ns, "ip -o link"), " "+link+":") || strings.Contains(output(t, m.ns, "ip -o link"), " "+link+"@")
}

func TestPodsReachPodsOfOtherMachinesAsThemselves(t *testing.T) {
	_, pods, _ := start(t)
	for from, p := range pods {
		for to, q := range pods {
			t.Run(from+" to "+to, func(t *testing.T) {
				// The biggest that a link takes comes first: the kernel has not learnt anything yet.
				for _, size := range []int{mtu - 28, 1, 20000} {
					if got := datagram(t, p.ns, q.address+":80", size); got != fmt.Sprint(size) {
						t.Errorf("a datagram of %d bytes: %s", size, got)
					}
				}
				reaches(t, p.ns, q.address+":80", p.address)
				t.Logf("10 MB took %s", send(t, p.ns, q.address+":81", 10<<20))
			})
		}
	}
}

func TestRoutesWhereALinkIsSharedAndATunnelWhereNot(t *testing.T) {
	l, _, _ := start(t)
	for _, test := range []struct{ from, to, want string }{
		{"a", "10.244.2.2", "via 10.99.1.2 dev eth0"},
		{"b", "10.244.1.2", "via 10.99.1.1 dev eth0"},
		{"a", "10.244.3.2", "dev coracle-vxlan"},
		{"c", "10.244.2.2", "dev coracle-vxlan"},
		{"a", "10.244.9.2", "No route to host"},
	} {
		if got := output(t, l.all[test.from].ns, "ip route get "+test.to); !strings.Contains(got, test.want) {
			t.Errorf("%s to %s: %s, want %s", test.from, test.to, got, test.want)
		}
	}
}

func TestTunnelsAlsoWhereALinkIsSharedIfToldSo(t *testing.T) {
	l := newLab(t, func(l *lab) { l.alwaysTunnel, l.tunnelPort = true, 4789 })
	a, b := l.all["a"], l.all["b"]
	client := fake.NewClientset(a.node(), b.node())
	pods := map[*machine]*pod{}
	for _, m := range []*machine{a, b} {
		m.run(client)
		m.eventuallyRoutes(t, 1)
		m.eventuallyTunnel(t)
		pods[m] = m.pod()
	}
	if got := output(t, a.ns, "ip route get "+pods[b].address); !strings.Contains(got, "dev coracle-vxlan") {
		t.Errorf("a to b: %s", got)
	}
	if got := output(t, a.ns, "ip -d link show coracle-vxlan"); !strings.Contains(got, " dstport 4789 ") {
		t.Errorf("the tunnel has another port: %s", got)
	}
	reaches(t, pods[a].ns, pods[b].address+":80", pods[a].address)
}

func TestBothFamiliesTakeTheSameWays(t *testing.T) {
	l := newLab(t, func(l *lab) { l.dual = true })
	client := fake.NewClientset(l.all["a"].node(), l.all["b"].node(), l.all["c"].node())
	pods := map[string]*pod{}
	for _, m := range l.all {
		m.run(client)
	}
	for name, m := range l.all {
		m.eventuallyRoutes(t, 2)
		m.eventuallyTunnel(t)
		pods[name] = m.pod()
	}
	for _, way := range []string{"ab", "ba", "ac", "ca", "bc"} {
		p, q := pods[way[:1]], pods[way[1:]]
		reaches(t, p.ns, q.address+":80", p.address)
		// Links send nothing of IPv6 before they have found out that nobody else has their addresses.
		eventually(t, way+" in IPv6", func() error { _, err := ask(t, p.ns, "["+q.address6+"]:80"); return err })
		reaches(t, p.ns, "["+q.address6+"]:80", p.address6)
		send(t, p.ns, "["+q.address6+"]:81", 10<<20)
		if got := datagram(t, p.ns, "["+q.address6+"]:80", mtu-48); got != fmt.Sprint(mtu-48) {
			t.Errorf("%s: a datagram: %s", way, got)
		}
	}
	if got := output(t, l.all["a"].ns, "ip -6 route get "+pods["b"].address6); !strings.Contains(got, "via fd99:1::2 dev eth0") {
		t.Errorf("a to b: %s", got)
	}
	if got := output(t, l.all["a"].ns, "ip -6 route get "+pods["c"].address6); !strings.Contains(got, "dev coracle-vxlan") {
		t.Errorf("a to c: %s", got)
	}
}

func TestPodsFromBeforeTheTunnelReachThroughIt(t *testing.T) {
	l := newLab(t)
	a, c := l.all["a"], l.all["c"]
	client := fake.NewClientset(a.node(), l.all["b"].node())
	a.run(client)
	a.eventuallyRoutes(t, 1)
	if a.has(t, "coracle-vxlan") {
		t.Error("there is a tunnel where all share a link")
	}
	old := a.pod()
	create(t, client, c.node())
	c.run(client)
	a.eventuallyRoutes(t, 2)
	c.eventuallyTunnel(t)
	fresh := c.pod()
	for _, way := range [][2]*pod{{old, fresh}, {fresh, old}} {
		p, q := way[0], way[1]
		reaches(t, p.ns, q.address+":80", p.address)
		t.Logf("10 MB took %s", send(t, p.ns, q.address+":81", 10<<20))
		size := mtu - 28
		eventually(t, "a datagram arrives", func() error {
			if got := datagram(t, p.ns, q.address+":80", size); got != fmt.Sprint(size) {
				return errors.New(got)
			}
			return nil
		})
	}
}
