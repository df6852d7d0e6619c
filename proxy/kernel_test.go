package proxy

import (
	"context"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/vishvananda/netns"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/proxy/internal/netlab"
	"github.com/coracle-k8s/coracle/proxy/iptables"
)

// start runs a proxy on the lab's node until the returned function is called, and waits for its rules.
func start(t *testing.T, lab *netlab.Lab, client *fake.Clientset, change ...func(*Config)) (p *Proxy, stop func()) {
	t.Helper()
	config := Config{
		NodeName:    "node",
		Informers:   informers.NewSharedInformerFactory(client, 0),
		ClusterCIDR: netip.MustParsePrefix("10.244.0.0/16"), ServiceCIDR: netip.MustParsePrefix("10.96.0.0/16"),
		DNSAddress: netip.MustParseAddr("10.96.0.10"), DNSPort: 10053,
		PodNetwork: PodNetwork{InUse: true},
	}
	for _, c := range change {
		c(&config)
	}
	p, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		lab.In(lab.Node, func() {
			if err := p.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}()
	select {
	case <-p.Ready():
	case <-time.After(await.Limit):
		t.Error("not ready in time")
	}
	return p, func() { cancel(); await.Receive(t, done, "the proxy stopped") }
}

func clusterIPService(name, ip string, change ...func(*corev1.Service)) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeClusterIP, ClusterIP: ip, ClusterIPs: []string{ip},
			Ports: []corev1.ServicePort{{Protocol: corev1.ProtocolTCP, Port: 80, TargetPort: intstr.FromInt32(8080)}},
		},
	}
	for _, c := range change {
		c(s)
	}
	return s
}

func slice(service string, protocol corev1.Protocol, addresses ...string) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "ns", Name: service + "-1", Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: ptr.To(""), Port: ptr.To[int32](8080), Protocol: &protocol}},
	}
	for _, address := range addresses {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{address}, NodeName: ptr.To("node"),
			Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)}})
	}
	return s
}

// TestTrafficReachesEndpoints walks real packets from everywhere.
func TestTrafficReachesEndpoints(t *testing.T) {
	lab := netlab.New(t)
	lab.Serve(lab.PodA, "8080", "A")
	lab.Serve(lab.PodB, "8080", "B")
	lab.Serve(lab.Node, "10053", "DNS")
	objects := []runtime.Object{
		clusterIPService("web", "10.96.0.20"), slice("web", corev1.ProtocolTCP, "10.244.0.3"),
		clusterIPService("self", "10.96.0.21"), slice("self", corev1.ProtocolTCP, "10.244.0.2"),
		clusterIPService("none", "10.96.0.22"),
		clusterIPService("port", "10.96.0.23", func(s *corev1.Service) {
			s.Spec.Type, s.Spec.Ports[0].NodePort, s.Spec.ExternalIPs = corev1.ServiceTypeNodePort, 30080, []string{"203.0.113.7"}
		}), slice("port", corev1.ProtocolTCP, "10.244.0.3"),
		clusterIPService("local", "10.96.0.24", func(s *corev1.Service) {
			s.Spec.Type, s.Spec.Ports[0].NodePort = corev1.ServiceTypeNodePort, 30081
			s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
		}), slice("local", corev1.ProtocolTCP, "10.244.0.3"),
		clusterIPService("closed", "10.96.0.25", func(s *corev1.Service) {
			s.Spec.Type, s.Spec.Ports[0].NodePort = corev1.ServiceTypeNodePort, 30082
		}),
		&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "b", UID: "b"},
			Spec: corev1.PodSpec{NodeName: "node", Containers: []corev1.Container{{Ports: []corev1.ContainerPort{
				{ContainerPort: 8080, HostPort: 9090}, {ContainerPort: 8080, HostPort: 9091, HostIP: "127.0.0.1"},
			}}}},
			Status: corev1.PodStatus{PodIPs: []corev1.PodIP{{IP: "10.244.0.3"}}},
		},
	}
	_, stop := start(t, lab, fake.NewClientset(objects...))
	defer stop()
	for _, test := range []struct {
		name       string
		from       netns.NsHandle
		to, answer string
	}{
		{"pod to cluster IP", lab.PodA, "10.96.0.20:80", "B 10.244.0.2"},
		{"pod to itself through a service", lab.PodA, "10.96.0.21:80", "A 10.244.0.1"},
		{"node to cluster IP without a default route", lab.Node, "10.96.0.20:80", "B 10.244.0.1"},
		{"outside to cluster IP", lab.Outside, "10.96.0.20:80", "B 10.244.0.1"},
		{"no endpoints, from pod", lab.PodA, "10.96.0.22:80", "connection refused"},
		{"no endpoints, from node", lab.Node, "10.96.0.22:80", "connection refused"},
		{"no such service, from pod", lab.PodA, "10.96.9.9:80", "connection refused"},
		{"no such service, from node", lab.Node, "10.96.9.9:80", "connection refused"},
		{"no such port", lab.PodA, "10.96.0.20:81", "connection refused"},
		{"no such pod", lab.Node, "10.244.7.7:80", "no route to host"},
		{"node port from outside", lab.Outside, "192.0.2.1:30080", "B 10.244.0.1"},
		{"node port from pod", lab.PodA, "192.0.2.1:30080", "B 10.244.0.1"},
		{"node port from node", lab.Node, "192.0.2.1:30080", "B 10.244.0.1"},
		{"node port by loopback", lab.Node, "127.0.0.1:30080", "B 10.244.0.1"},
		{"external IP from pod", lab.PodA, "203.0.113.7:80", "B 10.244.0.1"},
		{"local policy keeps the client", lab.Outside, "192.0.2.1:30081", "B 192.0.2.2"},
		{"local policy from pod", lab.PodA, "192.0.2.1:30081", "B 10.244.0.2"},
		{"node port without endpoints", lab.Outside, "192.0.2.1:30082", "connection refused"},
		{"host port from outside", lab.Outside, "192.0.2.1:9090", "B 192.0.2.2"},
		{"host port from its own pod", lab.PodB, "192.0.2.1:9090", "B 10.244.0.1"},
		{"host port by loopback", lab.Node, "127.0.0.1:9090", "B 10.244.0.1"},
		{"host port of one address", lab.Node, "127.0.0.1:9091", "B 10.244.0.1"},
		{"host port of another address", lab.Outside, "192.0.2.1:9091", "connection refused"},
		{"DNS from pod", lab.PodA, "10.96.0.10:53", "DNS 10.244.0.2"},
		{"DNS from node", lab.Node, "10.96.0.10:53", "DNS 10.96.0.10"},
		{"DNS by its port", lab.PodA, "10.96.0.10:10053", "connection refused"},
		{"the node's own ports at the address of DNS", lab.PodA, "10.96.0.10:10054", "connection refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if answer := lab.Ask(test.from, "tcp4", test.to); !strings.Contains(answer, test.answer) {
				t.Errorf("%s: %s, want %s", test.to, answer, test.answer)
			}
		})
	}
}

// TestSettingsOfTheKernel checks what the proxy sets beside rules, and that it leaves what nothing needs.
func TestSettingsOfTheKernel(t *testing.T) {
	lab := netlab.New(t)
	read := func(name string) (value string) {
		lab.In(lab.Node, func() {
			content, err := os.ReadFile("/proc/sys/net/" + name)
			if err != nil {
				t.Error(err)
			}
			value = strings.TrimSpace(string(content))
		})
		return value
	}
	client := fake.NewClientset(clusterIPService("web", "10.96.0.20"))
	p, stop := start(t, lab, client)
	for name, want := range map[string]string{
		"netfilter/nf_conntrack_tcp_timeout_established": "86400", "netfilter/nf_conntrack_tcp_timeout_close_wait": "3600",
		"ipv4/conf/all/route_localnet": "0",
	} {
		if got := read(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	service := clusterIPService("port", "10.96.0.23", func(s *corev1.Service) {
		s.Spec.Type, s.Spec.Ports[0].NodePort = corev1.ServiceTypeNodePort, 30080
	})
	changes := p.Tracker().Changes()
	if _, err := client.CoreV1().Services("ns").Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	<-changes
	deadline := time.Now().Add(time.Minute)
	for read("ipv4/conf/all/route_localnet") != "1" {
		if time.Now().After(deadline) {
			t.Fatal("waited a minute for route_localnet after there was a node port")
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
}

// TestUDPFollowsEndpoints checks that a client with an open socket is not left with a dead endpoint.
func TestUDPFollowsEndpoints(t *testing.T) {
	lab := netlab.New(t)
	lab.ServeUDP(lab.PodB, "8080", "B")
	lab.ServeUDP(lab.Outside, "8080", "outside")
	service := clusterIPService("udp", "10.96.0.30", func(s *corev1.Service) { s.Spec.Ports[0].Protocol = corev1.ProtocolUDP })
	client := fake.NewClientset(service, slice("udp", corev1.ProtocolUDP, "10.244.0.3"))
	p, stop := start(t, lab, client)
	defer stop()
	var conn net.Conn
	lab.In(lab.PodA, func() {
		var err error
		if conn, err = net.Dial("udp4", "10.96.0.30:80"); err != nil {
			t.Error(err)
		}
	})
	defer conn.Close()
	if answer := netlab.Talk(conn); answer != "B" {
		t.Fatalf("before: %s", answer)
	}
	changes := p.Tracker().Changes()
	if _, err := client.DiscoveryV1().EndpointSlices("ns").Update(t.Context(), slice("udp", corev1.ProtocolUDP, "192.0.2.2"), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	await.Receive(t, changes, "a change")
	deadline := time.Now().Add(await.Limit)
	for answer := ""; answer != "outside"; {
		if answer = netlab.Talk(conn); answer != "outside" && time.Now().After(deadline) {
			t.Fatalf("after: %s", answer)
		}
	}
}

// TestUDPFlowsEndWithTheirEndpoints checks that who sends on without a pause no longer reaches who was an endpoint.
func TestUDPFlowsEndWithTheirEndpoints(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *fake.Clientset) error{
		"the last endpoint goes": func(t *testing.T, c *fake.Clientset) error {
			_, err := c.DiscoveryV1().EndpointSlices("ns").Update(t.Context(), slice("udp", corev1.ProtocolUDP), metav1.UpdateOptions{})
			return err
		},
		"the Service goes": func(t *testing.T, c *fake.Clientset) error {
			return c.CoreV1().Services("ns").Delete(t.Context(), "udp", metav1.DeleteOptions{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			lab := netlab.New(t)
			lab.ServeUDP(lab.PodB, "8080", "B")
			service := clusterIPService("udp", "10.96.0.30", func(s *corev1.Service) {
				s.Spec.Type, s.Spec.Ports[0].Protocol, s.Spec.Ports[0].NodePort = corev1.ServiceTypeNodePort, corev1.ProtocolUDP, 30030
				s.Spec.ExternalIPs = []string{"203.0.113.7"}
			})
			client := fake.NewClientset(service, slice("udp", corev1.ProtocolUDP, "10.244.0.3"))
			_, stop := start(t, lab, client)
			defer stop()
			senders := map[string]net.Conn{}
			for _, to := range []string{"10.96.0.30:80", "192.0.2.1:30030", "203.0.113.7:80"} {
				lab.In(lab.PodA, func() {
					conn, err := net.Dial("udp4", to)
					if err != nil {
						t.Errorf("dialing %s: %v", to, err)
						return
					}
					senders[to] = conn
				})
				defer senders[to].Close()
				if answer := netlab.Talk(senders[to]); answer != "B" {
					t.Fatalf("%s before: %s", to, answer)
				}
			}
			if err := end(t, client); err != nil {
				t.Fatal(err)
			}
			deadline := time.Now().Add(time.Minute)
			for to, conn := range senders {
				for answer := "B"; answer == "B"; {
					if answer = netlab.Talk(conn); answer == "B" && time.Now().After(deadline) {
						t.Fatalf("%s still leads to the Pod a minute after", to)
					}
				}
			}
		})
	}
}

// TestFlushedRulesComeBack checks that Services work again by themselves after others have removed the rules, and that this is told.
func TestFlushedRulesComeBack(t *testing.T) {
	lab := netlab.New(t)
	lab.Serve(lab.PodB, "8080", "B")
	reports := make(chan string, 100)
	client := fake.NewClientset(clusterIPService("web", "10.96.0.20"), slice("web", corev1.ProtocolTCP, "10.244.0.3"))
	p, stop := start(t, lab, client, func(c *Config) { c.Report = func(reason, _ string) { reports <- reason } })
	defer stop()
	for _, flush := range []string{"iptables -t nat -F", "iptables -F", "iptables -t nat -D PREROUTING 1"} {
		lab.In(lab.Node, func() {
			if out, err := exec.Command("sh", "-c", flush).CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", flush, err, out)
			}
		})
		began := time.Now()
		select {
		case reason := <-reports:
			t.Logf("%s: back after %s", flush, time.Since(began))
			if reason != "PacketRulesRestored" {
				t.Errorf("reported %s", reason)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s: waited a minute for the rules to be put back", flush)
		}
		if answer := lab.Ask(lab.PodA, "tcp4", "10.96.0.20:80"); answer != "B 10.244.0.2" {
			t.Errorf("%s: the Service answers %q", flush, answer)
		}
	}
	if n := testutil.ToFloat64(p.metrics.restored); n != 3 {
		t.Errorf("coracle_proxy_rules_restored_total is %v, want 3", n)
	}
}

// TestForwarding walks packets on a node that forwards nothing of itself, with rules of an administrator.
func TestForwarding(t *testing.T) {
	lab := netlab.New(t)
	for ns, name := range map[netns.NsHandle]string{lab.PodA: "A", lab.PodB: "B", lab.Outside: "outside"} {
		lab.Serve(ns, "8080", name)
	}
	lab.Serve(lab.Outside, "8081", "outside")
	lab.In(lab.Outside, func() {
		if out, err := exec.Command("ip", "route", "add", "10.244.0.0/16", "via", "192.0.2.1").CombinedOutput(); err != nil {
			t.Errorf("adding a route: %v: %s", err, out)
		}
	})
	rule := func(arguments ...string) {
		lab.In(lab.Node, func() {
			if out, err := exec.Command("iptables", arguments...).CombinedOutput(); err != nil {
				t.Errorf("iptables %v: %v: %s", arguments, err, out)
			}
		})
	}
	rule("-P", "FORWARD", "DROP")
	rule("-A", "FORWARD", "-p", "tcp", "-d", "192.0.2.2", "--dport", "8081", "-j", "REJECT")
	client := fake.NewClientset(
		clusterIPService("port", "10.96.0.23", func(s *corev1.Service) {
			s.Spec.Type, s.Spec.Ports[0].NodePort = corev1.ServiceTypeNodePort, 30080
		}), slice("port", corev1.ProtocolTCP, "10.244.0.3"),
		clusterIPService("local", "10.96.0.24", func(s *corev1.Service) {
			s.Spec.Type, s.Spec.Ports[0].NodePort = corev1.ServiceTypeNodePort, 30081
			s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
		}), slice("local", corev1.ProtocolTCP, "10.244.0.3"),
	)
	p, stop := start(t, lab, client)
	defer stop()
	ask := func(name string, from netns.NsHandle, to, want string) {
		t.Helper()
		if answer := lab.Ask(from, "tcp4", to); !strings.Contains(answer, want) {
			t.Errorf("%s: %s, want %s", name, answer, want)
		}
	}
	ask("pod to pod", lab.PodA, "10.244.0.3:8080", "B 10.244.0.2")
	ask("pod to outside", lab.PodA, "192.0.2.2:8080", "outside 192.0.2.1")
	ask("pod to what the administrator refuses", lab.PodA, "192.0.2.2:8081", "refused")
	ask("outside to pod", lab.Outside, "10.244.0.3:8080", "timeout")
	ask("outside to a node port", lab.Outside, "192.0.2.1:30080", "B 10.244.0.1")
	ask("outside to a node port that keeps the client", lab.Outside, "192.0.2.1:30081", "B 192.0.2.2")
	rule("-A", "FORWARD", "-p", "tcp", "-d", "192.0.2.2", "--dport", "8080", "-j", "REJECT")
	deadline := time.Now().Add(time.Minute)
	for answer := ""; !strings.Contains(answer, "refused"); {
		if answer = lab.Ask(lab.PodA, "tcp4", "192.0.2.2:8080"); time.Now().After(deadline) {
			t.Fatalf("waited a minute for the administrator's later rule to be heeded: %s", answer)
		}
	}
	p.SetPodNetwork(PodNetwork{})
	for answer := "B"; strings.Contains(answer, "B"); {
		if answer = lab.Ask(lab.PodA, "tcp4", "10.244.0.3:8080"); time.Now().After(deadline) {
			t.Fatal("waited a minute for a foreign network's packets to be left alone")
		}
	}
	ask("a node port under a foreign network", lab.Outside, "192.0.2.1:30080", "B 10.244.0.1")
}

func TestRestartChangesNothingAndCleanupRemovesAll(t *testing.T) {
	lab := netlab.New(t)
	saved := func() (rules string) {
		lab.In(lab.Node, func() {
			for _, table := range []string{"nat", "filter"} {
				out, err := await.Command(t, "iptables-save", "-t", table).Output()
				if err != nil {
					t.Error(err)
				}
				rules += string(out)
			}
			out, err := await.Command(t, "ip", "route", "show", "table", "main").Output()
			if err != nil {
				t.Error(err)
			}
			rules += string(out)
		})
		return withoutComments(rules)
	}
	lab.In(lab.Node, func() {
		if out, err := await.Command(t, "iptables", "-A", "FORWARD", "-s", "198.51.100.1", "-j", "DROP").CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		if out, err := await.Command(t, "iptables", "-t", "nat", "-N", "FOREIGN").CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	before := saved()
	client := fake.NewClientset(
		clusterIPService("web", "10.96.0.20", func(s *corev1.Service) {
			s.Spec.Type, s.Spec.Ports[0].NodePort = corev1.ServiceTypeLoadBalancer, 30080
			s.Spec.SessionAffinity = corev1.ServiceAffinityClientIP
			s.Spec.LoadBalancerSourceRanges = []string{"192.0.2.0/24"}
			s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "203.0.113.9"}}
		}),
		slice("web", corev1.ProtocolTCP, "10.244.0.2", "10.244.0.3", "192.0.2.2"),
	)
	_, stop := start(t, lab, client)
	stop()
	during := saved()
	p, stop := start(t, lab, client)
	stop()
	if again := saved(); again != during {
		t.Errorf("rules after restart:\n%s\nbefore:\n%s", again, during)
	}
	lab.In(lab.Node, func() {
		stats, err := p.backend.Apply(t.Context(), p.tracker.Snapshot())
		if err != nil || stats.Written+stats.Deleted > 0 {
			t.Errorf("Apply in place: %+v, %v", stats, err)
		}
		other := iptables.New(p.node())
		if stats, err = other.Apply(t.Context(), p.tracker.Snapshot()); err != nil || stats.Written+stats.Deleted > 0 {
			t.Errorf("a fresh process changed what was right: %+v, %v", stats, err)
		}
		for range 2 {
			if err := Cleanup(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		}
	})
	if after := saved(); after != before {
		t.Errorf("after Cleanup:\n%s\nbefore:\n%s", after, before)
	}
}

func withoutComments(rules string) string {
	var kept strings.Builder
	for line := range strings.Lines(rules) {
		if !strings.HasPrefix(line, "#") {
			if strings.HasPrefix(line, ":") {
				line, _, _ = strings.Cut(line, " [")
				line += "\n"
			}
			kept.WriteString(line)
		}
	}
	return kept.String()
}
