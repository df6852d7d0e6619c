package network_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/coracle-k8s/coracle/kubelet/network"
	"github.com/coracle-k8s/coracle/proxy"
)

func create(t *testing.T, client *fake.Clientset, n *corev1.Node) {
	t.Helper()
	if _, err := client.CoreV1().Nodes().Create(t.Context(), n, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func update(t *testing.T, client *fake.Clientset, n *corev1.Node) {
	t.Helper()
	if _, err := client.CoreV1().Nodes().Update(t.Context(), n, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (p *pod) eventuallyReaches(t *testing.T, q *pod) {
	t.Helper()
	eventually(t, "a Pod of "+p.machine.name+" reaches one of "+q.machine.name, func() error {
		got, err := ask(t, p.ns, q.address+":80")
		if err == nil && got != p.address {
			err = fmt.Errorf("it arrived from %s", got)
		}
		return err
	})
}

func TestRoutesFollowNodes(t *testing.T) {
	l, pods, client := start(t)
	a, c := l.all["a"], l.all["c"]

	unready := c.node()
	unready.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown}}
	update(t, client, unready)
	if err := client.CoreV1().Nodes().Delete(t.Context(), "b", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	a.eventuallyRoutes(t, 1) // b's is gone, c's stays
	pods["a"].eventuallyReaches(t, pods["c"])

	create(t, client, l.all["b"].node())
	a.eventuallyRoutes(t, 2)
	pods["b"].eventuallyReaches(t, pods["c"])

	in(t, c.ns, func() {
		link, err := netlink.LinkByName("eth0")
		must(t, err)
		old, err := netlink.ParseAddr(c.address + "/24")
		must(t, err)
		must(t, netlink.AddrDel(link, old))
		address(t, "eth0", "10.99.2.7/24")
		must(t, netlink.RouteAdd(&netlink.Route{Gw: ip("10.99.2.254")}))
	})
	c.address = "10.99.2.7"
	update(t, client, c.node())
	pods["a"].eventuallyReaches(t, pods["c"])
	pods["c"].eventuallyReaches(t, pods["b"])
	if text := output(t, a.ns, "bridge fdb show dev coracle-vxlan"); !strings.Contains(text, "10.99.2.7") || strings.Contains(text, "10.99.2.1 ") {
		t.Errorf("the tunnel of a leads to %s", text)
	}

	if err := client.CoreV1().Nodes().Delete(t.Context(), "c", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	a.eventuallyRoutes(t, 1)
	eventually(t, "the tunnel is gone", func() error {
		if a.has(t, "coracle-vxlan") {
			return errors.New("it is there")
		}
		return nil
	})
}

func TestRoutesComeBackWhenSomebodyRemovesThem(t *testing.T) {
	l, pods, _ := start(t)
	for _, harm := range []string{
		"ip route flush proto 202", "ip link del coracle-vxlan", "ip link set coracle-vxlan down", "ip address flush dev coracle-vxlan",
	} {
		if out := output(t, l.all["a"].ns, harm); out != "" {
			t.Fatalf("%s: %s", harm, out)
		}
		pods["a"].eventuallyReaches(t, pods["b"])
		pods["a"].eventuallyReaches(t, pods["c"])
		l.all["a"].eventuallyRoutes(t, 2)
		eventually(t, "the machine reaches Pods through the tunnel after "+harm, func() error {
			got, err := ask(t, l.all["a"].ns, pods["c"].address+":80")
			if err == nil && got != "10.244.1.1" {
				err = fmt.Errorf("arrived from %s", got)
			}
			return err
		})
	}
	// The kernel forgets routes of a link that goes down, without a word on each.
	in(t, l.all["a"].ns, func() {
		link, err := netlink.LinkByName("eth0")
		must(t, err)
		must(t, netlink.LinkSetDown(link))
		must(t, netlink.LinkSetUp(link))
		must(t, netlink.RouteAdd(&netlink.Route{Gw: ip("10.99.1.254")}))
	})
	pods["a"].eventuallyReaches(t, pods["b"])
	pods["a"].eventuallyReaches(t, pods["c"])
}

func TestRoutesStayWhenTheProcessEnds(t *testing.T) {
	l := newLab(t)
	client := fake.NewClientset(l.all["a"].node(), l.all["b"].node(), l.all["c"].node())
	var stops []func()
	for _, m := range l.all {
		stops = append(stops, m.run(client))
	}
	pods := map[string]*pod{}
	for name, m := range l.all {
		m.eventuallyRoutes(t, 2)
		pods[name] = m.pod()
	}
	for _, stop := range stops {
		stop()
	}
	reaches(t, pods["a"].ns, pods["b"].address+":80", pods["a"].address)
	reaches(t, pods["a"].ns, pods["c"].address+":80", pods["a"].address)
}

func TestRemoveLeavesNothing(t *testing.T) {
	l := newLab(t)
	a := l.all["a"]
	before := output(t, a.ns, "ip route") + output(t, a.ns, "ip -o link")
	stop := a.run(fake.NewClientset(a.node(), l.all["b"].node(), l.all["c"].node()))
	a.eventuallyRoutes(t, 2)
	a.pod()
	stop()
	in(t, a.ns, func() {
		for range 2 {
			must(t, network.New(network.Config{DataDir: filepath.Dir(a.confDir), ConfDir: a.confDir}).Remove())
		}
		must(t, proxy.Cleanup(t.Context()))
	})
	if after := output(t, a.ns, "ip route") + output(t, a.ns, "ip -o link"); after != before {
		t.Errorf("left:\n%s\nbefore:\n%s", after, before)
	}
	for _, path := range []string{a.file(), filepath.Join(filepath.Dir(a.confDir), "network")} {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
}

// foreign is somebody else's network configuration.
func (m *machine) foreign() string { return filepath.Join(m.confDir, "zz-other.conflist") }

func TestAForeignConfigurationWinsForAsLongAsItIsThere(t *testing.T) {
	l, pods, _ := start(t)
	a := l.all["a"]
	serve(t, l.router)
	if err := os.WriteFile(a.foreign(), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "our configuration is taken away", func() error {
		if _, err := os.Stat(a.file()); !errors.Is(err, os.ErrNotExist) {
			return errors.New("it is there")
		}
		return nil
	})
	// Pods of ours go on as before.
	reaches(t, pods["a"].ns, pods["c"].address+":80", pods["a"].address)
	reaches(t, pods["a"].ns, "10.99.2.254:80", a.address)

	pods["a"].remove()
	eventually(t, "nothing of ours is left", func() error {
		rules := output(t, a.ns, "iptables -t nat -S CORACLE-POSTROUTING")
		if a.has(t, network.Bridge) || a.has(t, network.Tunnel) || strings.Contains(rules, "pods to outside") {
			return errors.New(output(t, a.ns, "ip -o link") + rules)
		}
		return nil
	})
	a.eventuallyRoutes(t, 0)

	if err := os.Remove(a.foreign()); err != nil {
		t.Fatal(err)
	}
	a.eventuallyRoutes(t, 2)
	a.eventuallyTunnel(t)
	p := a.pod()
	p.eventuallyReaches(t, pods["b"])
	p.eventuallyReaches(t, pods["c"])
	eventually(t, "a Pod reaches the outside", func() error {
		got, err := ask(t, p.ns, "10.99.2.254:80")
		if err == nil && got != a.address {
			err = fmt.Errorf("arrived from %s", got)
		}
		return err
	})
}
