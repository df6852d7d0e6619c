package network_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/kubelet/network"
	"github.com/coracle-k8s/coracle/proxy"
)

// machine is a node without containers.
type machine struct {
	lab     *lab
	name    string
	address string
	pods    netip.Prefix
	// address6 and pods6 are set where there are both families.
	address6 string
	pods6    netip.Prefix
	ns       netns.NsHandle
	confDir  string
	network  *network.Network
	proxy    *proxy.Proxy
	made     int
}

func newMachine(l *lab, name string, i int) *machine {
	m := &machine{lab: l, name: name, pods: rangeOf(i), pods6: range6(i), ns: newNamespace(l.t)}
	dir := filepath.Join(l.t.TempDir(), name)
	m.confDir = filepath.Join(dir, "net.d")
	m.network = network.New(network.Config{DataDir: dir, ConfDir: m.confDir, OnChange: func(now network.State) { m.proxy.SetPodNetwork(podNetwork(now)) }})
	return m
}

// connect gives the machine its eth0: on a bridge of the router, or on a link of its own with the given far end.
func (m *machine) connect(own, router, bridge, far string) {
	t, port := m.lab.t, "to-"+m.name
	in(t, m.lab.router, func() {
		must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: port, MTU: mtu}, PeerName: "eth0", PeerNamespace: netlink.NsFd(int(m.ns))}))
		if far != "" {
			address(t, port, far)
			return
		}
		near, err := netlink.LinkByName(port)
		must(t, err)
		on, err := netlink.LinkByName(bridge)
		must(t, err)
		must(t, netlink.LinkSetMaster(near, on.(*netlink.Bridge)))
		up(t, port)
	})
	m.address = own
	in(t, m.ns, func() {
		up(t, "lo")
		address(t, "eth0", own+"/24")
		must(t, netlink.RouteAdd(&netlink.Route{Gw: ip(router)}))
	})
	// The strictest that distributions have: what a link brings must come from where its answers would go.
	for _, which := range []string{"all", "default", "eth0"} {
		sysctl(t, m.ns, "net/ipv4/conf/"+which+"/rp_filter", "1")
	}
}

// connect6 adds the other family to the same links.
func (m *machine) connect6(own, router, far string) {
	t := m.lab.t
	if !m.lab.dual {
		return
	}
	if far != "" {
		in(t, m.lab.router, func() { address(t, "to-"+m.name, far) })
	}
	m.address6 = own
	in(t, m.ns, func() {
		address(t, "eth0", own+"/64")
		must(t, netlink.RouteAdd(&netlink.Route{Gw: ip(router)}))
	})
}

func (m *machine) node() *corev1.Node {
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: m.name},
		Spec:       corev1.NodeSpec{PodCIDR: m.pods.String(), PodCIDRs: []string{m.pods.String()}},
		Status:     corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: m.address}}},
	}
	if m.address6 != "" {
		n.Spec.PodCIDRs = append(n.Spec.PodCIDRs, m.pods6.String())
		n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: m.address6})
	}
	return n
}

// run starts the machine's network and proxy. stop ends them; what they made in the kernel stays.
func (m *machine) run(client *fake.Clientset) (stop func()) {
	t := m.lab.t
	t.Helper()
	factory := informers.NewSharedInformerFactory(client, 0)
	var state network.State
	in(t, m.ns, func() {
		var err error
		state, err = m.network.State()
		must(t, err)
	})
	var err error
	m.proxy, err = proxy.New(proxy.Config{
		NodeName: m.name, Informers: factory, PodNetwork: podNetwork(state),
		ClusterCIDR: netip.MustParsePrefix("10.244.0.0/16"), ServiceCIDR: netip.MustParsePrefix("10.96.0.0/16"),
	})
	if err != nil {
		t.Fatal(err)
	}
	nodes := factory.Core().V1().Nodes().Informer()
	ctx, cancel := context.WithCancel(context.Background())
	factory.Start(ctx.Done())
	ended := make(chan struct{}, 2)
	go in(t, m.ns, func() {
		defer func() { ended <- struct{}{} }()
		peers := network.Peers{Self: m.name, Nodes: nodes, AlwaysTunnel: m.lab.alwaysTunnel, TunnelPort: m.lab.tunnelPort}
		if err := m.network.Run(ctx, peers); err != nil {
			t.Errorf("running the network of %s: %v", m.name, err)
		}
	})
	go in(t, m.ns, func() {
		defer func() { ended <- struct{}{} }()
		if err := m.proxy.Run(ctx); err != nil {
			t.Errorf("running the proxy of %s: %v", m.name, err)
		}
	})
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		await.Receive(t, ended, "one of proxy and network stopped")
		await.Receive(t, ended, "the other of proxy and network stopped")
		factory.Shutdown()
	}
	t.Cleanup(stop)
	await.Receive(t, m.proxy.Ready(), "the proxy was ready")
	eventually(t, "the configuration of "+m.name+" is there", func() error { _, err := os.Stat(m.file()); return err })
	return stop
}

func podNetwork(s network.State) proxy.PodNetwork {
	return proxy.PodNetwork{InUse: s.InUse, TunnelPort: uint16(s.TunnelPort)}
}

func (m *machine) file() string { return filepath.Join(m.confDir, "99-coracle.conflist") }

// pod is a namespace that the plugin has joined to the network of a machine.
type pod struct {
	ns      netns.NsHandle
	address string
	// address6 is set where there are both families.
	address6 string
	machine  *machine
	id       string
	// configuration is what the plugin is told from first to last.
	configuration string
}

// pod makes one, as the container runtime would, that answers.
func (m *machine) pod() *pod {
	t := m.lab.t
	t.Helper()
	m.made++
	p := &pod{ns: newNamespace(t), machine: m, id: fmt.Sprintf("%s-%d", m.name, m.made), configuration: m.configuration()}
	in(t, p.ns, func() { up(t, "lo") })
	var result current.Result
	if err := json.Unmarshal(p.execute("ADD"), &result); err != nil {
		t.Fatalf("joining a Pod of %s: %v", m.name, err)
	}
	p.address = result.IPs[0].Address.IP.String()
	if len(result.IPs) > 1 {
		p.address6 = result.IPs[1].Address.IP.String()
	}
	serve(t, p.ns)
	return p
}

// execute runs the plugin for the Pod.
func (p *pod) execute(command string) (out []byte) {
	t := p.machine.lab.t
	t.Helper()
	var err error
	in(t, p.machine.ns, func() {
		cmd := await.Command(t, p.machine.lab.plugin)
		cmd.Env = append(os.Environ(), "CNI_COMMAND="+command, "CNI_CONTAINERID="+p.id, "CNI_IFNAME=eth0", "CNI_PATH=/",
			fmt.Sprintf("CNI_NETNS=/proc/%d/fd/%d", os.Getpid(), int(p.ns)))
		cmd.Stdin = strings.NewReader(p.configuration)
		out, err = cmd.CombinedOutput()
	})
	if err != nil {
		t.Fatalf("running the plugin: %v\n%s", err, out)
	}
	return out
}

// configuration is what the runtime tells the plugin now.
func (m *machine) configuration() string {
	t := m.lab.t
	t.Helper()
	content, err := os.ReadFile(m.file())
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		CNIVersion, Name string
		Plugins          []map[string]any
	}
	if err := json.Unmarshal(content, &list); err != nil {
		t.Fatal(err)
	}
	plugin := list.Plugins[0]
	plugin["cniVersion"], plugin["name"] = list.CNIVersion, list.Name
	text, err := json.Marshal(plugin)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// remove takes the Pod away.
func (p *pod) remove() { p.execute("DEL") }
