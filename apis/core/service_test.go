package core

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// newServiceOf is a valid service that has its address, changed.
func newServiceOf(change func(*corev1.ServiceSpec)) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "s", Namespace: "ns"},
		Spec: corev1.ServiceSpec{
			ClusterIP: "10.0.0.1", ClusterIPs: []string{"10.0.0.1"}, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
			IPFamilyPolicy: new(corev1.IPFamilyPolicySingleStack), Ports: []corev1.ServicePort{{Port: 80}},
		},
	}
	if change != nil {
		change(&s.Spec)
	}
	DefaultService(s)
	return s
}

func TestValidateServiceUpdate(t *testing.T) {
	for name, c := range map[string]struct {
		old, change func(*corev1.ServiceSpec)
		want        []string
	}{
		"nothing":         {},
		"another address": {nil, func(s *corev1.ServiceSpec) { s.ClusterIP, s.ClusterIPs = "10.0.0.2", []string{"10.0.0.2"} }, []string{"FieldValueInvalid spec.clusterIPs[0]"}},
		"another class": {
			func(s *corev1.ServiceSpec) {
				s.Type, s.LoadBalancerClass = corev1.ServiceTypeLoadBalancer, new("example.com/a")
			},
			func(s *corev1.ServiceSpec) { s.LoadBalancerClass = new("example.com/b") }, []string{"FieldValueInvalid spec.loadBalancerClass"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			old := newServiceOf(c.old)
			s := old.DeepCopy()
			if c.change != nil {
				c.change(&s.Spec)
			}
			expect(t, ValidateServiceUpdate(s, old), c.want...)
		})
	}
}

func TestChooseFamilies(t *testing.T) {
	const v4, v6 = corev1.IPv4Protocol, corev1.IPv6Protocol
	one, both := []corev1.IPFamily{v4}, []corev1.IPFamily{v4, v6}
	for name, c := range map[string]struct {
		cluster  []corev1.IPFamily
		change   func(*corev1.ServiceSpec)
		families []corev1.IPFamily
		want     []string
	}{
		"default":           {cluster: both, families: one},
		"prefers both":      {cluster: both, change: func(s *corev1.ServiceSpec) { s.IPFamilyPolicy = new(corev1.IPFamilyPolicyPreferDualStack) }, families: both},
		"there is only one": {cluster: one, change: func(s *corev1.ServiceSpec) { s.IPFamilyPolicy = new(corev1.IPFamilyPolicyPreferDualStack) }, families: one},
		"requires both": {cluster: one, change: func(s *corev1.ServiceSpec) { s.IPFamilyPolicy = new(corev1.IPFamilyPolicyRequireDualStack) },
			want: []string{"FieldValueInvalid spec.ipFamilyPolicy"}},
		"of its address":    {cluster: both, change: func(s *corev1.ServiceSpec) { s.ClusterIP, s.ClusterIPs = "fd00::1", []string{"fd00::1"} }, families: []corev1.IPFamily{v6}},
		"not configured":    {cluster: one, change: func(s *corev1.ServiceSpec) { s.IPFamilies = []corev1.IPFamily{v6} }, want: []string{"FieldValueInvalid spec.ipFamilies[0]"}},
		"without endpoints": {cluster: one, change: func(s *corev1.ServiceSpec) { s.ClusterIP, s.ClusterIPs = "None", []string{"None"} }, families: both},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServiceOf(func(s *corev1.ServiceSpec) {
				s.ClusterIP, s.ClusterIPs, s.IPFamilies, s.IPFamilyPolicy = "", nil, nil, nil
				if c.change != nil {
					c.change(s)
				}
			})
			expect(t, ChooseFamilies(s, nil, c.cluster), c.want...)
			if len(c.want) == 0 && !slices.Equal(s.Spec.IPFamilies, c.families) {
				t.Errorf("got %v, want %v", s.Spec.IPFamilies, c.families)
			}
		})
	}
}

func TestKeepAllocated(t *testing.T) {
	old := newServiceOf(func(s *corev1.ServiceSpec) {
		s.Type = corev1.ServiceTypeNodePort
		s.Ports = []corev1.ServicePort{{Name: "a", Port: 80, NodePort: 30001}, {Name: "b", Port: 81, NodePort: 30002}}
	})
	s := old.DeepCopy()
	s.Spec.ClusterIP, s.Spec.ClusterIPs = "", nil
	s.Spec.Ports = []corev1.ServicePort{{Name: "b", Port: 81}, {Name: "a", Port: 80}, {Name: "c", Port: 82}}
	KeepAllocated(s, old)
	if got := NodePorts(s); s.Spec.ClusterIP != "10.0.0.1" || !slices.Equal(got, []int32{30002, 30001}) {
		t.Errorf("got %s and %d", s.Spec.ClusterIP, got)
	}
}

func TestClearUnused(t *testing.T) {
	old := newServiceOf(func(s *corev1.ServiceSpec) { s.Type, s.Ports[0].NodePort = corev1.ServiceTypeNodePort, 30001 })
	s := old.DeepCopy()
	s.Spec.Type = corev1.ServiceTypeClusterIP
	if ClearUnused(s, old); len(NodePorts(s)) > 0 || s.Spec.ExternalTrafficPolicy != "" || s.Spec.ClusterIP == "" {
		t.Errorf("as ClusterIP: got %+v", s.Spec)
	}
	s.Spec.Type = corev1.ServiceTypeExternalName
	if ClearUnused(s, old); s.Spec.ClusterIP != "" || s.Spec.IPFamilies != nil || s.Spec.IPFamilyPolicy != nil {
		t.Errorf("as ExternalName: got %+v", s.Spec)
	}
}

func FuzzSplitSubscript(f *testing.F) {
	for _, path := range []string{"metadata.labels['a']", "metadata.name", "x['']", "']", "a['b']['c']", "['"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		before, key, ok := SplitSubscript(path)
		if ok && before+"['"+key+"']" != path || !ok && before != path {
			t.Errorf("%q: got %q, %q, %t", path, before, key, ok)
		}
	})
}
