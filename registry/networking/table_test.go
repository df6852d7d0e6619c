package networking

import (
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
)

func TestHostsInTables(t *testing.T) {
	for _, c := range []struct {
		hosts []string
		want  string
	}{
		{nil, "*"},
		{[]string{""}, "*"},
		{[]string{"a", "b", "c"}, "a,b,c"},
		{[]string{"a", "b", "c", "d", "e"}, "a,b,c + 2 more..."},
	} {
		i := &ingress{}
		for _, host := range c.hosts {
			i.Spec.Rules = append(i.Spec.Rules, networkingv1.IngressRule{Host: host})
		}
		if got := hosts(i); got != c.want {
			t.Errorf("%q: got %q, want %q", c.hosts, got, c.want)
		}
	}
}

func TestAddressesInTables(t *testing.T) {
	i := &ingress{}
	i.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{Hostname: "lb.example.com"}, {IP: "192.0.2.1"}, {IP: "192.0.2.1", Hostname: "x"}, {}}
	if got, want := addresses(i), "192.0.2.1,lb.example.com"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestReferencesInTables(t *testing.T) {
	a := &ipAddress{}
	if got := parent(a); got != "<none>" {
		t.Errorf("got %q", got)
	}
	a.Spec.ParentRef = &networkingv1.ParentReference{Group: "Example.com", Resource: "things", Namespace: "ns", Name: "n"}
	if got, want := parent(a), "things.example.com/ns/n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	c := &ingressClass{Spec: networkingv1.IngressClassSpec{Parameters: &networkingv1.IngressClassParametersReference{APIGroup: new("example.com"), Kind: "P", Name: "n"}}}
	if got, want := parameters(c), "P.example.com/n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
