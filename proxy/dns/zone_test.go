package dns

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/proxy/service"
)

func testZone() zone {
	return zone{domain: "cluster.local.", address: netip.MustParseAddr("10.96.0.10"), inside: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")}}
}

func testTracker() *service.Tracker {
	t := service.NewTracker("node")
	t.SetService(&corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: "10.96.0.20", ClusterIPs: []string{"10.96.0.20", "fd00::20"},
			Ports: []corev1.ServicePort{{Name: "http", Protocol: corev1.ProtocolTCP, Port: 80}, {Name: "metrics", Protocol: corev1.ProtocolTCP, Port: 9090}}},
	})
	t.SetService(&corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "db"},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: corev1.ClusterIPNone,
			Ports: []corev1.ServicePort{{Name: "sql", Protocol: corev1.ProtocolTCP, Port: 5432}}},
	})
	t.SetSlice(&discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "default", Name: "db-1", Labels: map[string]string{discoveryv1.LabelServiceName: "db"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: ptr.To("sql"), Port: ptr.To[int32](15432), Protocol: ptr.To(corev1.ProtocolTCP)}},
		Endpoints: []discoveryv1.Endpoint{
			{Addresses: []string{"10.244.0.5"}, Hostname: ptr.To("db-0"), Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)}},
			{Addresses: []string{"10.244.0.6"}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)}},
			{Addresses: []string{"10.244.0.7"}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(false)}},
		},
	})
	t.SetService(&corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "empty"},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: corev1.ClusterIPNone},
	})
	for name, target := range map[string]string{"away": "example.com", "near": "web.default.svc.cluster.local", "number": "192.0.2.1"} {
		t.SetService(&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
			Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: target},
		})
	}
	return t
}

func TestNamesOfTheCluster(t *testing.T) {
	snapshot, zone := testTracker().Snapshot(), testZone()
	const svc = ".default.svc.cluster.local."
	for _, test := range []struct {
		name, kind string
		// want are the records, data only; "unknown" and "elsewhere" stand for themselves.
		want string
	}{
		{"web" + svc, "A", "10.96.0.20"},
		{"web" + svc, "AAAA", "fd00::20"},
		{"WEB.Default.svc.Cluster.local.", "A", "10.96.0.20"},
		{"web" + svc, "TXT", ""},
		{"web" + svc, "SRV", "0 50 80 web" + svc + ", 0 50 9090 web" + svc},
		{"_http._tcp.web" + svc, "SRV", "0 100 80 web" + svc},
		{"_http._udp.web" + svc, "SRV", "unknown"},
		{"_none._tcp.web" + svc, "SRV", "unknown"},
		{"http.tcp.web" + svc, "SRV", "unknown"},
		{"db" + svc, "A", "10.244.0.5, 10.244.0.6"},
		{"db" + svc, "AAAA", ""},
		{"db-0.db" + svc, "A", "10.244.0.5"},
		{"10-244-0-6.db" + svc, "A", "10.244.0.6"},
		{"10-244-0-7.db" + svc, "A", "unknown"},
		{"_sql._tcp.db" + svc, "SRV", "0 50 15432 db-0.db" + svc + ", 0 50 15432 10-244-0-6.db" + svc},
		{"empty" + svc, "A", ""},
		{"none" + svc, "A", "unknown"},
		{"a.b.c.web" + svc, "A", "unknown"},
		{"away" + svc, "A", "example.com. then example.com."},
		{"away" + svc, "CNAME", "example.com."},
		{"near" + svc, "A", "web" + svc + ", 10.96.0.20"},
		{"number" + svc, "A", ""},
		{"x.away" + svc, "A", "unknown"},
		{"default.svc.cluster.local.", "A", ""},
		{"nowhere.svc.cluster.local.", "A", "unknown"},
		{"svc.cluster.local.", "A", ""},
		{"10-244-0-9.default.pod.cluster.local.", "A", "10.244.0.9"},
		{"fd00--9.default.pod.cluster.local.", "AAAA", "fd00::9"},
		{"10-244-0.default.pod.cluster.local.", "A", "unknown"},
		{"dns-version.cluster.local.", "TXT", `"1.1.0"`},
		{"cluster.local.", "SOA", "ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5"},
		{"cluster.local.", "NS", "ns.dns.cluster.local."},
		{"ns.dns.cluster.local.", "A", "10.96.0.10"},
		{"example.cluster.local.", "A", "unknown"},
		{"20.0.96.10.in-addr.arpa.", "PTR", "web" + svc},
		{"5.0.244.10.in-addr.arpa.", "PTR", "db-0.db" + svc},
		{"6.0.244.10.in-addr.arpa.", "PTR", "10-244-0-6.db" + svc},
		{"7.0.244.10.in-addr.arpa.", "PTR", "elsewhere"},
		{"99.0.96.10.in-addr.arpa.", "PTR", "unknown"},
		{"8.8.8.8.in-addr.arpa.", "PTR", "elsewhere"},
		{"0.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.", "PTR", "web" + svc},
		{"example.com.", "A", "elsewhere"},
		{"notcluster.local.", "A", "elsewhere"},
	} {
		t.Run(test.kind+" "+test.name, func(t *testing.T) {
			r := zone.answer(dns.Question{Name: test.name, Qtype: dns.StringToType[test.kind], Qclass: dns.ClassINET}, snapshot)
			if got := spell(t, test.name, r); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// spell writes a reply down, and checks that its records are for the name as it was asked for.
func spell(t *testing.T, name string, r reply) string {
	t.Helper()
	switch {
	case r.unknown:
		return "unknown"
	case r.elsewhere:
		return "elsewhere"
	}
	var parts []string
	for i, record := range r.answer {
		if i == 0 && record.Header().Name != name {
			t.Errorf("record for %s", record.Header().Name)
		}
		parts = append(parts, strings.TrimPrefix(record.String(), record.Header().String()))
	}
	text := strings.Join(parts, ", ")
	if r.alias != "" {
		text += " then " + r.alias
	}
	return text
}

func TestServiceRecordsComeWithAddresses(t *testing.T) {
	snapshot, zone := testTracker().Snapshot(), testZone()
	for name, want := range map[string]int{"web.default.svc.cluster.local.": 2, "db.default.svc.cluster.local.": 2, "db-0.db.default.svc.cluster.local.": 1} {
		r := zone.answer(dns.Question{Name: name, Qtype: dns.TypeSRV, Qclass: dns.ClassINET}, snapshot)
		if len(r.extra) != want {
			t.Errorf("%s: additional records %v, want %d", name, r.extra, want)
		}
	}
}
