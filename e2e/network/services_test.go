package network_test

import (
	"io"
	"net"
	"testing"

	"github.com/vishvananda/netns"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// service is one with an endpoint on machine a: the first Pod there.
func service(name, clusterIP string, nodePort int32, policy corev1.ServiceExternalTrafficPolicy) []runtime.Object {
	return []runtime.Object{
		&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name},
			Spec: corev1.ServiceSpec{
				Type: corev1.ServiceTypeNodePort, ClusterIP: clusterIP, ClusterIPs: []string{clusterIP}, ExternalTrafficPolicy: policy,
				Ports: []corev1.ServicePort{{Protocol: corev1.ProtocolTCP, Port: 80, NodePort: nodePort, TargetPort: intstr.FromInt32(80)}},
			},
		},
		&discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "ns", Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: name}},
			AddressType: discoveryv1.AddressTypeIPv4,
			Ports:       []discoveryv1.EndpointPort{{Name: ptr.To(""), Port: ptr.To[int32](80), Protocol: ptr.To(corev1.ProtocolTCP)}},
			Endpoints: []discoveryv1.Endpoint{{
				Addresses: []string{"10.244.1.2"}, NodeName: ptr.To("a"), Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)},
			}},
		},
	}
}

func TestServicesReachOtherMachines(t *testing.T) {
	objects := append(service("any", "10.96.0.20", 30080, corev1.ServiceExternalTrafficPolicyCluster),
		service("local", "10.96.0.21", 30081, corev1.ServiceExternalTrafficPolicyLocal)...)
	l, pods, _ := start(t, objects...)
	b, c := l.all["b"].ns, l.all["c"].ns
	serve(t, l.router)
	for _, test := range []struct {
		name   string
		from   netns.NsHandle
		to, as string
	}{
		{"a machine to a Pod by the link", b, "10.244.1.2:80", "10.99.1.2"},
		{"a machine to a Pod by the tunnel", c, "10.244.1.2:80", "10.244.3.1"},
		{"a Pod to a Service by the link", pods["b"].ns, "10.96.0.20:80", pods["b"].address},
		{"a Pod to a Service by the tunnel", pods["c"].ns, "10.96.0.20:80", pods["c"].address},
		{"a machine to a Service by the link", b, "10.96.0.20:80", "10.99.1.2"},
		{"a machine to a Service by the tunnel", c, "10.96.0.20:80", "10.244.3.1"},
		{"outside to a node port by the link", l.router, "10.99.1.2:30080", "10.99.1.2"},
		{"outside to a node port by the tunnel", l.router, "10.99.2.1:30080", "10.244.3.1"},
		{"outside to a node port of the Pod's machine only", l.router, "10.99.1.1:30081", "10.99.1.254"},
		{"a Pod to a node port elsewhere", pods["c"].ns, "10.99.1.2:30080", "10.99.1.2"},
		{"a machine by loopback to its own Pod", l.all["a"].ns, "127.0.0.1:30080", "10.244.1.1"},
		{"a machine by loopback and the link", b, "127.0.0.1:30080", "10.99.1.2"},
		{"a machine by loopback and the tunnel", c, "127.0.0.1:30080", "10.244.3.1"},
		{"a Pod to outside", pods["a"].ns, "10.99.2.254:80", "10.99.1.1"},
		{"a Pod to outside, behind the router", pods["c"].ns, "10.99.2.254:80", "10.99.2.1"},
	} {
		t.Run(test.name, func(t *testing.T) { reaches(t, test.from, test.to, test.as) })
	}
	if answer, err := ask(t, l.router, "10.99.2.1:30081"); err == nil {
		t.Errorf("a node port for local Pods only leads to another machine: %s", answer)
	}
	// What lets packets from 127.0.0.1 out must not let neighbours' in.
	in(t, l.all["c"].ns, func() { accept(t, "127.0.0.1:8022", func(c net.Conn) { io.WriteString(c, "private") }) })
	sysctl(t, l.router, "net/ipv4/conf/all/route_localnet", "1")
	for _, command := range []string{
		"ip route del table local local 127.0.0.1 dev lo", "ip route del table local local 127.0.0.0/8 dev lo",
		"ip route add 127.0.0.1/32 via 10.99.2.1 dev to-c",
	} {
		if out := output(t, l.router, command); out != "" {
			t.Fatalf("%s: %s", command, out)
		}
	}
	if answer, err := ask(t, l.router, "127.0.0.1:8022"); err == nil {
		t.Errorf("a neighbour reaches the machine's own 127.0.0.1: %s", answer)
	}
}
