// Package packets is the suite that every backend of the proxy must pass: from
// here to there arrives at one of these, masqueraded or not.
package packets

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/proxy/service"
)

// The network of the suite, as the node sees it.
var (
	ClusterCIDR = netip.MustParsePrefix("10.244.0.0/16")
	ServiceCIDR = netip.MustParsePrefix("10.96.0.0/16")
	DNSAddress  = netip.MustParseAddr("10.96.0.10")
	// Local are the node's own addresses.
	Local = []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("10.244.0.1"), DNSAddress}
)

const (
	// DNSPort is where the node's DNS server listens, at DNSAddress.
	DNSPort = 10053
	// TunnelPort is where other nodes' tunnels end.
	TunnelPort = 8472
)

// Packet begins a connection.
type Packet struct {
	From     netip.Addr
	To       netip.AddrPort
	Protocol string
	On       Machine
}

// Machine is how the node is set up by others.
type Machine struct {
	// ForwardDrops says that what nobody decides is not forwarded.
	ForwardDrops bool
	// Refused is where the administrator lets nothing be forwarded to, by a rule behind those that were there.
	Refused netip.Prefix
	// Foreign says that Pods are joined by another network plugin.
	Foreign bool
}

// Walker returns what may become of a packet under a backend's rules for a
// snapshot: "to ADDRESS:PORT", with " masqueraded" when its source is changed;
// "reject" or "drop".
type Walker func(snapshot *service.Snapshot, packet Packet) []string

// Run walks all packets.
func Run(t *testing.T, walk Walker) {
	snapshot := World().Snapshot()
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) { check(t, walk, snapshot, test, Machine{}) })
	}
	for _, on := range machines {
		for _, test := range on.cases {
			t.Run(on.name+", "+test.name, func(t *testing.T) { check(t, walk, snapshot, test, on.machine) })
		}
	}
}

func check(t *testing.T, walk Walker, snapshot *service.Snapshot, test journey, on Machine) {
	protocol := "tcp"
	to, udp := strings.CutSuffix(test.to, "/udp")
	if udp {
		protocol = "udp"
	}
	packet := Packet{From: netip.MustParseAddr(test.from), To: netip.MustParseAddrPort(to), Protocol: protocol, On: on}
	got := walk(snapshot, packet)
	slices.Sort(got)
	got = slices.Compact(got)
	want := slices.Sorted(slices.Values(strings.Split(test.want, ", ")))
	if !slices.Equal(got, want) {
		t.Errorf("%s to %s: %s, want %s", test.from, test.to, strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

// Who sends: the node itself (by two addresses), Pods of this node and of another, and a host outside.
const (
	node     = "192.0.2.1"
	loopback = "127.0.0.1"
	podA     = "10.244.0.2"
	podB     = "10.244.0.3"
	far      = "10.244.1.5"
	other    = "192.0.2.50"
	outside  = "192.0.2.99"
)

type journey struct{ name, from, to, want string }

// machines are set up otherwise than to let pass what nobody decides.
var machines = []struct {
	name    string
	machine Machine
	cases   []journey
}{
	{"forwarding dropped", Machine{ForwardDrops: true}, []journey{
		{"pod to pod", podA, "10.244.1.5:8080", "to 10.244.1.5:8080"},
		{"pod to pod of this node", far, "10.244.0.3:8080", "to 10.244.0.3:8080"},
		{"pod to outside", podA, "198.51.100.1:443", "to 198.51.100.1:443 masqueraded"},
		{"other node to pod", other, "10.244.0.3:8080", "to 10.244.0.3:8080"},
		{"outside to pod", outside, "10.244.0.3:8080", "drop"},
		{"outside to elsewhere", outside, "198.51.100.1:80", "drop"},
		{"cluster IP from pod", podA, "10.96.0.20:80", "to 10.244.0.3:8080, to 10.244.1.5:8080"},
		{"node port", outside, "192.0.2.1:30080", "to 10.244.0.3:8080 masqueraded, to 10.244.1.5:8080 masqueraded"},
		{"node port that keeps the client", outside, "192.0.2.1:30081", "to 10.244.0.3:8080"},
		{"host port", outside, "192.0.2.1:9090", "to 10.244.0.3:8080"},
	}},
	{"refused by the administrator", Machine{ForwardDrops: true, Refused: netip.MustParsePrefix("198.51.100.0/24")}, []journey{
		{"pod to there", podA, "198.51.100.1:443", "drop"},
		{"pod to elsewhere", podA, "203.0.113.200:443", "to 203.0.113.200:443 masqueraded"},
	}},
	{"pods refused by the administrator", Machine{Refused: ClusterCIDR}, []journey{
		{"outside to pod", outside, "10.244.0.3:8080", "drop"},
		{"pod to pod", podA, "10.244.1.5:8080", "drop"},
		{"node port, as upstream's", outside, "192.0.2.1:30080", "to 10.244.0.3:8080 masqueraded, to 10.244.1.5:8080 masqueraded"},
		{"node port that keeps the client", outside, "192.0.2.1:30081", "drop"},
	}},
	{"foreign network", Machine{ForwardDrops: true, Foreign: true}, []journey{
		{"pod to pod", podA, "10.244.1.5:8080", "drop"},
		{"outside to pod", outside, "10.244.0.3:8080", "drop"},
		{"pod to outside", podA, "198.51.100.1:443", "drop"},
		{"node port", outside, "192.0.2.1:30080", "to 10.244.0.3:8080 masqueraded, to 10.244.1.5:8080 masqueraded"},
		{"anybody to the tunnel's port", outside, "192.0.2.1:8472/udp", "to 192.0.2.1:8472"},
	}},
}

var cases = []journey{
	{"cluster IP from pod", podA, "10.96.0.20:80", "to 10.244.0.3:8080, to 10.244.1.5:8080"},
	{"cluster IP from its own endpoint", podB, "10.96.0.20:80", "to 10.244.0.3:8080 masqueraded, to 10.244.1.5:8080"},
	{"cluster IP from node", node, "10.96.0.20:80", "to 10.244.0.3:8080 masqueraded, to 10.244.1.5:8080 masqueraded"},
	{"cluster IP from outside", outside, "10.96.0.20:80", "to 10.244.0.3:8080 masqueraded, to 10.244.1.5:8080 masqueraded"},
	{"cluster IP, other port", podA, "10.96.0.20:81", "reject"},
	{"cluster IP, other protocol", podA, "10.96.0.20:80/udp", "reject"},
	{"cluster IP, UDP", podA, "10.96.0.21:53/udp", "to 10.244.0.3:5353"},
	{"no endpoints", podA, "10.96.0.22:80", "reject"},
	{"no endpoints from node", node, "10.96.0.22:80", "reject"},
	{"no such service", podA, "10.96.200.1:80", "reject"},
	{"unready endpoints only", podA, "10.96.0.23:80", "reject"},
	{"ending endpoints that serve, as none is ready", podA, "10.96.0.24:80", "to 10.244.0.3:8080"},
	{"internal policy Local", podA, "10.96.0.25:80", "to 10.244.0.3:8080"},
	{"internal policy Local, endpoints elsewhere", podA, "10.96.0.26:80", "drop"},
	{"affinity", podA, "10.96.0.27:80", "to 10.244.0.3:8080, to 10.244.1.5:8080"},
	{"hints keep it in the zone", podA, "10.96.0.28:80", "to 10.244.0.3:8080"},

	{"node port from outside", outside, "192.0.2.1:30080", "to 10.244.0.3:8080 masqueraded, to 10.244.1.5:8080 masqueraded"},
	{"node port from pod", podA, "192.0.2.1:30080", "to 10.244.0.3:8080 masqueraded, to 10.244.1.5:8080 masqueraded"},
	{"node port by loopback", loopback, "127.0.0.1:30080", "to 10.244.0.3:8080 masqueraded, to 10.244.1.5:8080 masqueraded"},
	{"node port of another machine", podA, "192.0.2.99:30080", "to 192.0.2.99:30080 masqueraded"},
	{"node port without endpoints", outside, "192.0.2.1:30082", "reject"},
	{"external IP from outside", outside, "203.0.113.7:80", "to 10.244.0.3:8080 masqueraded, to 10.244.1.5:8080 masqueraded"},
	{"external IP without endpoints", outside, "203.0.113.8:80", "reject"},

	{"external policy Local from outside", outside, "192.0.2.1:30081", "to 10.244.0.3:8080"},
	{"external policy Local from pod", podA, "192.0.2.1:30081", "to 10.244.0.3:8080, to 10.244.1.5:8080"},
	{"external policy Local from node", node, "192.0.2.1:30081", "to 10.244.0.3:8080 masqueraded, to 10.244.1.5:8080 masqueraded"},
	{"external policy Local, endpoints elsewhere", outside, "192.0.2.1:30083", "drop"},
	{"external policy Local, endpoints elsewhere, from pod", podA, "192.0.2.1:30083", "to 10.244.1.5:8080"},
	{"load balancer from an allowed source", outside, "203.0.113.9:80", "to 10.244.0.3:8080 masqueraded"},
	{"load balancer from another source", "198.51.100.1", "203.0.113.9:80", "drop"},
	{"load balancer's node port is open to all", "198.51.100.1", "192.0.2.1:30084", "to 10.244.0.3:8080 masqueraded"},

	{"host port", outside, "192.0.2.1:9090", "to 10.244.0.3:8080"},
	{"host port from its own pod", podB, "192.0.2.1:9090", "to 10.244.0.3:8080 masqueraded"},
	{"host port by loopback", loopback, "127.0.0.1:9090", "to 10.244.0.3:8080 masqueraded"},
	{"host port of one address", loopback, "127.0.0.1:9091", "to 10.244.0.3:8080 masqueraded"},
	{"host port of another address", outside, "192.0.2.1:9091", "to 192.0.2.1:9091"},
	{"host port, other protocol", outside, "192.0.2.1:9090/udp", "to 192.0.2.1:9090"},

	{"DNS from pod", podA, "10.96.0.10:53/udp", "to 10.96.0.10:10053"},
	{"DNS from node by TCP", node, "10.96.0.10:53", "to 10.96.0.10:10053"},
	{"DNS by its port", podA, "10.96.0.10:10053/udp", "reject"},
	{"the node's own ports at the address of DNS", podA, "10.96.0.10:22", "reject"},
	{"tunnel from a node", other, "192.0.2.1:8472/udp", "to 192.0.2.1:8472"},
	{"tunnel from outside", outside, "192.0.2.1:8472/udp", "drop"},
	{"tunnel from pod", podA, "192.0.2.1:8472/udp", "drop"},
	{"another proxy's", podA, "10.96.0.40:80", "to 10.96.0.40:80 masqueraded"},
	{"pod to pod", podA, "10.244.1.5:8080", "to 10.244.1.5:8080"},
	{"pod to outside", podA, "198.51.100.1:443", "to 198.51.100.1:443 masqueraded"},
	{"node to outside", node, "198.51.100.1:443", "to 198.51.100.1:443"},
	{"outside to node", outside, "192.0.2.1:22", "to 192.0.2.1:22"},
	{"outside to loopback", outside, "127.0.0.1:22", "drop"},
}

// World is what the packets meet.
func World() *service.Tracker {
	t := service.NewTracker("here")
	for name, address := range map[string]string{"here": node, "there": other} {
		t.SetNode(&corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelTopologyZone: "zone-a"}},
			Status:     corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}}},
		})
	}
	both := []endpoint{{podB, true, false}, {far, true, false}}
	add := func(s *corev1.Service, port int32, endpoints ...endpoint) {
		t.SetService(s)
		if len(endpoints) > 0 {
			t.SetSlice(slice(s, port, endpoints))
		}
	}
	add(define("web", "10.96.0.20", 80), 8080, both...)
	add(define("udp", "10.96.0.21", 53, func(s *corev1.Service) { s.Spec.Ports[0].Protocol = corev1.ProtocolUDP }), 5353, endpoint{podB, true, false})
	add(define("empty", "10.96.0.22", 80), 8080)
	add(define("unready", "10.96.0.23", 80), 8080, endpoint{podB, false, false})
	add(define("ending", "10.96.0.24", 80), 8080, endpoint{podB, false, true})
	add(define("inside", "10.96.0.25", 80, internalLocal), 8080, both...)
	add(define("inside-elsewhere", "10.96.0.26", 80, internalLocal), 8080, endpoint{far, true, false})
	add(define("affine", "10.96.0.27", 80, func(s *corev1.Service) { s.Spec.SessionAffinity = corev1.ServiceAffinityClientIP }), 8080, both...)
	add(define("hinted", "10.96.0.28", 80), 8080, both...)
	hinted := slice(define("hinted", "10.96.0.28", 80), 8080, both)
	for i, zone := range []string{"zone-a", "zone-b"} {
		hinted.Endpoints[i].Hints = &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: zone}}}
	}
	t.SetSlice(hinted)
	add(define("port", "10.96.0.30", 80, nodePort(30080), func(s *corev1.Service) { s.Spec.ExternalIPs = []string{"203.0.113.7"} }), 8080, both...)
	add(define("local", "10.96.0.31", 80, nodePort(30081), externalLocal), 8080, both...)
	add(define("closed", "10.96.0.32", 80, nodePort(30082), func(s *corev1.Service) { s.Spec.ExternalIPs = []string{"203.0.113.8"} }), 8080)
	add(define("local-elsewhere", "10.96.0.33", 80, nodePort(30083), externalLocal), 8080, endpoint{far, true, false})
	add(define("balanced", "10.96.0.34", 80, nodePort(30084), func(s *corev1.Service) {
		s.Spec.Type = corev1.ServiceTypeLoadBalancer
		s.Spec.LoadBalancerSourceRanges = []string{"192.0.2.0/24"}
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "203.0.113.9"}}
	}), 8080, endpoint{podB, true, false})
	add(define("theirs", "10.96.0.40", 80, func(s *corev1.Service) {
		s.Labels = map[string]string{"service.kubernetes.io/service-proxy-name": "theirs"}
	}), 8080, both...)
	t.SetPod(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "b", UID: "b"},
		Spec: corev1.PodSpec{NodeName: "here", Containers: []corev1.Container{{Ports: []corev1.ContainerPort{
			{ContainerPort: 8080, HostPort: 9090}, {ContainerPort: 8080, HostPort: 9091, HostIP: loopback},
		}}}},
		Status: corev1.PodStatus{PodIPs: []corev1.PodIP{{IP: podB}}},
	})
	return t
}

type endpoint struct {
	address       string
	ready, ending bool
}

func define(name, ip string, port int32, change ...func(*corev1.Service)) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeClusterIP, ClusterIP: ip, ClusterIPs: []string{ip},
			Ports: []corev1.ServicePort{{Name: "p", Protocol: corev1.ProtocolTCP, Port: port}},
		},
	}
	for _, c := range change {
		c(s)
	}
	return s
}

func nodePort(port int32) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.Type, s.Spec.Ports[0].NodePort = corev1.ServiceTypeNodePort, port }
}

func internalLocal(s *corev1.Service) {
	s.Spec.InternalTrafficPolicy = ptr.To(corev1.ServiceInternalTrafficPolicyLocal)
}

func externalLocal(s *corev1.Service) {
	s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
}

func slice(s *corev1.Service, port int32, endpoints []endpoint) *discoveryv1.EndpointSlice {
	made := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name + "-1", Labels: map[string]string{discoveryv1.LabelServiceName: s.Name}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: ptr.To("p"), Port: &port, Protocol: &s.Spec.Ports[0].Protocol}},
	}
	for _, e := range endpoints {
		on := "there"
		if strings.HasPrefix(e.address, "10.244.0.") {
			on = "here"
		}
		made.Endpoints = append(made.Endpoints, discoveryv1.Endpoint{Addresses: []string{e.address}, NodeName: &on,
			Conditions: discoveryv1.EndpointConditions{Ready: &e.ready, Serving: ptr.To(e.ready || e.ending), Terminating: &e.ending}})
	}
	return made
}

// Many returns a world of so many Services with so many endpoints each, to measure with.
func Many(services, endpoints int) *service.Tracker {
	t := service.NewTracker("here")
	for i := range services {
		s := define(fmt.Sprintf("service-%d", i), netip.AddrFrom4([4]byte{10, 96, byte(1 + i/250), byte(i % 250)}).String(), 80)
		t.SetService(s)
		made := make([]endpoint, endpoints)
		for j := range made {
			made[j] = endpoint{netip.AddrFrom4([4]byte{10, 244, byte(i / 25), byte(i%25*endpoints + j)}).String(), true, false}
		}
		t.SetSlice(slice(s, 8080, made))
	}
	return t
}
