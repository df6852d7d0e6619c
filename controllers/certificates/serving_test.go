package certificates

import (
	"crypto/x509"
	"net"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func node(name string, addresses ...string) corev1.Node {
	n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{
		Addresses: []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: "kubernetes.default"}},
	}}
	for _, a := range addresses {
		n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: a})
	}
	return n
}

func TestWhoGetsAServingCertificateWithoutBeingAsked(t *testing.T) {
	nodes := []corev1.Node{node("n", "192.0.2.7", "192.0.2.9", "127.0.0.1", "10.0.0.1"), node("m", "192.0.2.8", "192.0.2.9")}
	nodes = append(nodes, node("api.example.com", "192.0.2.10"), node("hook.ns.svc", "192.0.2.11"), node("hook.ns.svc.example.org", "192.0.2.12"), node("kubernetes", "192.0.2.13"))
	others := places{reserved: []string{"kubernetes", "10.0.0.1", "*.example.com"}, domain: "example.org"}
	own := func(name, ip string) func(*x509.CertificateRequest) {
		return func(r *x509.CertificateRequest) {
			r.Subject.CommonName = "system:node:" + name
			r.DNSNames, r.IPAddresses = []string{name}, []net.IP{net.ParseIP(ip)}
		}
	}
	asks := func(name string, ips ...string) func(*x509.CertificateRequest) {
		return func(r *x509.CertificateRequest) {
			r.DNSNames = []string{name}
			for _, ip := range ips {
				r.IPAddresses = append(r.IPAddresses, net.ParseIP(ip))
			}
		}
	}
	for name, test := range map[string]struct {
		user   string
		groups []string
		change func(*x509.CertificateRequest)
		nodes  []corev1.Node
		ok     bool
	}{
		"its own name and address":             {"system:node:n", nil, asks("n", "192.0.2.7"), nodes, true},
		"its own address":                      {"system:node:n", nil, func(r *x509.CertificateRequest) { r.IPAddresses = []net.IP{net.ParseIP("192.0.2.7")} }, nodes, true},
		"its own name alone":                   {"system:node:n", nil, asks("n"), nodes, false},
		"before its Node is there":             {"system:node:n", nil, asks("n"), nodes[1:], false},
		"another node's name":                  {"system:node:n", nil, asks("m", "192.0.2.7"), nodes, false},
		"a name that it says is its own":       {"system:node:n", nil, asks("kubernetes.default", "192.0.2.7"), nodes, false},
		"another node's address":               {"system:node:n", nil, asks("n", "192.0.2.8"), nodes, false},
		"one of its own, one of another's":     {"system:node:n", nil, asks("n", "192.0.2.7", "192.0.2.8"), nodes, false},
		"an address that two nodes have":       {"system:node:n", nil, asks("n", "192.0.2.9"), nodes, false},
		"an address that nobody has":           {"system:node:n", nil, asks("n", "192.0.2.99"), nodes, false},
		"the API server's address":             {"system:node:n", nil, asks("n", "10.0.0.1"), nodes, false},
		"loopback":                             {"system:node:n", nil, asks("n", "127.0.0.1"), nodes, false},
		"before it has said its address":       {"system:node:n", nil, asks("n", "192.0.2.7"), []corev1.Node{node("n")}, false},
		"a node called like the API server":    {"system:node:kubernetes", nil, own("kubernetes", "192.0.2.13"), nodes, false},
		"a node called as --tls-san *.allows":  {"system:node:api.example.com", nil, own("api.example.com", "192.0.2.10"), nodes, false},
		"a node called like a Service":         {"system:node:hook.ns.svc", nil, own("hook.ns.svc", "192.0.2.11"), nodes, false},
		"a node called like one by whole name": {"system:node:hook.ns.svc.example.org", nil, own("hook.ns.svc.example.org", "192.0.2.12"), nodes, false},
		"asked for by another node":            {"system:node:m", nil, asks("n", "192.0.2.7"), nodes, false},
		"asked for by a user":                  {"admin", nil, asks("n", "192.0.2.7"), nodes, false},
		"asked for by no member of the group":  {"system:node:n", []string{"system:authenticated"}, asks("n", "192.0.2.7"), nodes, false},
	} {
		t.Run(name, func(t *testing.T) {
			if test.groups == nil {
				test.groups = []string{"system:nodes", "system:authenticated"}
			}
			csr := &request{Spec: certificatesv1.CertificateSigningRequestSpec{Username: test.user, Groups: test.groups}}
			if why := doubt(csr, requestFor(t, test.change), test.nodes, others); (why == "") != test.ok {
				t.Errorf("doubt %q, want it approved %v", why, test.ok)
			}
		})
	}
}

func TestNamesOfCertificatesMatchAsClientsMatchThem(t *testing.T) {
	for _, test := range []struct {
		pattern, host string
		want          bool
	}{
		{"a.example", "a.example", true},
		{"A.example", "a.EXAMPLE.", true},
		{"*.example", "a.example", true},
		{"*.example", "b.a.example", false},
		{"*.example", "example", false},
		{"*.example", "*.example", true},
		{"2001:db8::1", "2001:0db8:0::1", true},
		{"10.0.0.1", "10.0.0.2", false},
	} {
		if got := matches(test.pattern, test.host); got != test.want {
			t.Errorf("%s for %s: %v", test.pattern, test.host, got)
		}
	}
}
