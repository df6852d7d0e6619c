package service

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/await"
)

var web = types.NamespacedName{Namespace: "ns", Name: "web"}

func webService(change ...func(*corev1.Service)) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: web.Namespace, Name: web.Name},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: "10.96.0.1", ClusterIPs: []string{"10.96.0.1"},
			Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
	}
	for _, c := range change {
		c(s)
	}
	return s
}

// describe makes an endpoint of words: address, then ready, serving,
// terminating, local, node=N, zone=Z.
func describe(text string) discoveryv1.Endpoint {
	words := strings.Fields(text)
	e := discoveryv1.Endpoint{Addresses: words[:1], NodeName: ptr.To("there"), Hints: &discoveryv1.EndpointHints{}}
	e.Conditions = discoveryv1.EndpointConditions{
		Ready: ptr.To(slices.Contains(words, "ready")), Terminating: ptr.To(slices.Contains(words, "terminating")),
		Serving: ptr.To(slices.Contains(words, "ready") || slices.Contains(words, "serving")),
	}
	for _, word := range words {
		if word == "local" {
			e.NodeName = ptr.To("here")
		}
		if zone, ok := strings.CutPrefix(word, "zone="); ok {
			e.Hints.ForZones = append(e.Hints.ForZones, discoveryv1.ForZone{Name: zone})
		}
		if node, ok := strings.CutPrefix(word, "node="); ok {
			e.Hints.ForNodes = append(e.Hints.ForNodes, discoveryv1.ForNode{Name: node})
		}
	}
	return e
}

func sliceOf(name string, endpoints ...string) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "ns", Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: ptr.To("http"), Port: ptr.To[int32](8080)}},
	}
	for _, e := range endpoints {
		s.Endpoints = append(s.Endpoints, describe(e))
	}
	return s
}

func internalLocal(s *corev1.Service) {
	s.Spec.InternalTrafficPolicy = ptr.To(corev1.ServiceInternalTrafficPolicyLocal)
}

func externalLocal(s *corev1.Service) {
	s.Spec.Type, s.Spec.ExternalTrafficPolicy = corev1.ServiceTypeNodePort, corev1.ServiceExternalTrafficPolicyLocal
}

func last(targets []Target) string {
	var octets []string
	for _, target := range targets {
		octets = append(octets, fmt.Sprint(target.Addr().As4()[3]))
	}
	return strings.Join(octets, " ")
}

func TestWhereTrafficMayGo(t *testing.T) {
	plain := func(*corev1.Service) {}
	for name, test := range map[string]struct {
		policy         func(*corev1.Service)
		endpoints      []string
		cluster, local string
		any            bool
	}{
		"none":                                {plain, nil, "", "", false},
		"ready":                               {plain, []string{"10.0.0.1 ready", "10.0.0.2 ready local", "10.0.0.3"}, "1 2", "", true},
		"ending only":                         {plain, []string{"10.0.0.1 serving terminating", "10.0.0.2 terminating"}, "1", "", true},
		"ending beside ready":                 {plain, []string{"10.0.0.1 serving terminating", "10.0.0.2 ready"}, "2", "", true},
		"zone":                                {plain, []string{"10.0.0.1 ready zone=a", "10.0.0.2 ready zone=b"}, "1", "", true},
		"zone without endpoints":              {plain, []string{"10.0.0.1 ready zone=c", "10.0.0.2 ready zone=b"}, "1 2", "", true},
		"hints on some only":                  {plain, []string{"10.0.0.1 ready zone=a", "10.0.0.2 ready"}, "1 2", "", true},
		"unready ones need no hint":           {plain, []string{"10.0.0.1 ready zone=a", "10.0.0.2", "10.0.0.3 ready zone=b"}, "1", "", true},
		"node before zone":                    {plain, []string{"10.0.0.1 ready zone=a node=there", "10.0.0.2 ready zone=b node=here"}, "2", "", true},
		"internal Local":                      {internalLocal, []string{"10.0.0.1 ready", "10.0.0.2 ready local"}, "", "2", true},
		"internal Local, elsewhere":           {internalLocal, []string{"10.0.0.1 ready"}, "", "", true},
		"internal Local, ending here":         {internalLocal, []string{"10.0.0.1 ready", "10.0.0.2 serving terminating local"}, "", "2", true},
		"external Local":                      {externalLocal, []string{"10.0.0.1 ready", "10.0.0.2 ready local"}, "1 2", "2", true},
		"external Local, ready before ending": {externalLocal, []string{"10.0.0.1 ready local", "10.0.0.2 serving terminating local"}, "1", "1", true},
	} {
		t.Run(name, func(t *testing.T) {
			tracker := NewTracker("here")
			tracker.SetNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "here", Labels: map[string]string{corev1.LabelTopologyZone: "a"}}})
			tracker.SetService(webService(test.policy))
			tracker.SetSlice(sliceOf("one", test.endpoints...))
			port := tracker.Snapshot().Services[web].Ports[0]
			if last(port.Cluster) != test.cluster || last(port.Local) != test.local || port.HasEndpoints != test.any {
				t.Errorf("cluster %q, local %q, any %v; want %q, %q, %v", last(port.Cluster), last(port.Local), port.HasEndpoints, test.cluster, test.local, test.any)
			}
		})
	}
}

func TestAnEndpointInTwoSlicesCountsOnce(t *testing.T) {
	tracker := NewTracker("here")
	tracker.SetSlice(sliceOf("one", "10.0.0.1", "10.0.0.2 ready"))
	tracker.SetService(webService())
	tracker.SetSlice(sliceOf("two", "10.0.0.1 ready", "10.0.0.2"))
	if got := last(tracker.Snapshot().Services[web].Ports[0].Cluster); got != "1 2" {
		t.Errorf("endpoints %q, want both, as either is ready in one", got)
	}
	tracker.RemoveSlice(sliceOf("two"))
	if got := last(tracker.Snapshot().Services[web].Ports[0].Cluster); got != "2" {
		t.Errorf("endpoints %q after the second slice is gone", got)
	}
}

func TestPicturesShareWhatHasNotChanged(t *testing.T) {
	tracker := NewTracker("here")
	changes := tracker.Changes()
	tracker.SetService(webService())
	tracker.SetService(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "other"}})
	await.Receive(t, changes, "a change")
	first := tracker.Snapshot()
	if tracker.Snapshot() != first {
		t.Error("another picture of the same")
	}
	tracker.SetSlice(sliceOf("one", "10.0.0.1 ready"))
	await.Receive(t, changes, "a change")
	second := tracker.Snapshot()
	other := types.NamespacedName{Namespace: "ns", Name: "other"}
	if second.Services[other] != first.Services[other] || second.Services[web] == first.Services[web] {
		t.Error("the other Service was folded again, or this one was not")
	}
	if len(first.Services[web].Endpoints) != 0 {
		t.Error("the first picture has changed")
	}
	tracker.RemoveService(web)
	if third := tracker.Snapshot(); third.Services[web] != nil || second.Services[web] == nil {
		t.Error("the Service is still there, or gone from the picture before")
	}
}

func TestServicesOfOtherProxiesAreLeftAlone(t *testing.T) {
	tracker := NewTracker("here")
	tracker.SetService(webService())
	tracker.Snapshot()
	tracker.SetService(webService(func(s *corev1.Service) { s.Labels = map[string]string{serviceProxyName: "theirs"} }))
	if s := tracker.Snapshot().Services[web]; s == nil || !s.Foreign {
		t.Errorf("%+v, want a Service whose packets are another proxy's", s)
	}
	tracker.SetService(webService())
	if s := tracker.Snapshot().Services[web]; s == nil || s.Foreign {
		t.Errorf("%+v, want a Service of ours again", s)
	}
}

func TestAddresses(t *testing.T) {
	tracker := NewTracker("here")
	tracker.SetService(webService(func(s *corev1.Service) {
		s.Spec.Type, s.Spec.ExternalTrafficPolicy, s.Spec.HealthCheckNodePort = corev1.ServiceTypeLoadBalancer, corev1.ServiceExternalTrafficPolicyLocal, 31000
		s.Spec.Ports[0].NodePort = 30000
		s.Spec.ExternalIPs = []string{"203.0.113.1", "nonsense"}
		s.Spec.LoadBalancerSourceRanges = []string{" 192.0.2.7/24 ", "nonsense"}
		s.Spec.SessionAffinity = corev1.ServiceAffinityClientIP
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{
			{IP: "203.0.113.2"}, {Hostname: "lb.example.com"}, {IP: "203.0.113.3", IPMode: ptr.To(corev1.LoadBalancerIPModeProxy)},
		}
	}))
	s := tracker.Snapshot().Services[web]
	got := fmt.Sprint(s.ClusterIPs, s.ExternalIPs, s.LoadBalancerIPs, s.SourceRanges, s.AffinitySeconds, s.HealthCheckNodePort, s.Ports[0].NodePort, s.ExternalLocal)
	if want := "[10.96.0.1] [203.0.113.1] [203.0.113.2] [192.0.2.0/24] 10800 31000 30000 true"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHostPortsOfLivingPodsOfThisNode(t *testing.T) {
	make := func(change ...func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", UID: "p"},
			Spec: corev1.PodSpec{NodeName: "here", Containers: []corev1.Container{{Ports: []corev1.ContainerPort{
				{ContainerPort: 80}, {ContainerPort: 81, HostPort: 8081}, {ContainerPort: 82, HostPort: 8082, HostIP: "127.0.0.1", Protocol: corev1.ProtocolUDP},
				{ContainerPort: 83, HostPort: 8083, HostIP: "::1"},
			}}}},
			Status: corev1.PodStatus{PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}}},
		}
		for _, c := range change {
			c(p)
		}
		return p
	}
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		want int
	}{
		"living":             {make(), 2},
		"without an address": {make(func(p *corev1.Pod) { p.Status.PodIPs = nil }), 0},
		"of another node":    {make(func(p *corev1.Pod) { p.Spec.NodeName = "there" }), 0},
		"in the host's net":  {make(func(p *corev1.Pod) { p.Spec.HostNetwork = true }), 0},
		"finished":           {make(func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }), 0},
	} {
		t.Run(name, func(t *testing.T) {
			tracker := NewTracker("here")
			if tracker.SetPod(test.pod); len(tracker.Snapshot().HostPorts) != test.want {
				t.Errorf("host ports %v, want %d", tracker.Snapshot().HostPorts, test.want)
			}
			tracker.SetPod(make())
			if ports := tracker.Snapshot().HostPorts; len(ports) != 2 || ports[0].HostIP != netip.MustParseAddr("127.0.0.1") {
				t.Errorf("host ports %v, want that of one address first", ports)
			}
			tracker.RemovePod("p")
			if ports := tracker.Snapshot().HostPorts; len(ports) != 0 {
				t.Errorf("host ports %v of a pod that is gone", ports)
			}
		})
	}
}
