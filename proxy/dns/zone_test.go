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
		Ports: []discoveryv1.EndpointPort{
			{Name: ptr.To("sql"), Port: ptr.To[int32](15432), Protocol: ptr.To(corev1.ProtocolTCP)},
			{Name: ptr.To("signal"), Protocol: ptr.To(corev1.ProtocolSCTP)},
		},
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
	t.SetService(&corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "theirs", Labels: map[string]string{"service.kubernetes.io/service-proxy-name": "other"}},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: "10.96.0.22"},
	})
	t.SetService(&corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "plain"},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: "10.96.0.21",
			Ports: []corev1.ServicePort{{Protocol: corev1.ProtocolTCP, Port: 80}}},
	})
	const svc = ".default.svc.cluster.local"
	for name, target := range map[string]string{
		"away": "example.com", "near": "web" + svc, "far": "near" + svc, "farther": "away" + svc, "lost": "none" + svc,
		"one": "other" + svc, "other": "one" + svc, "number": "192.0.2.1",
	} {
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
		{"theirs" + svc, "A", "10.96.0.22"},
		{"db-0.db" + svc, "A", "10.244.0.5"},
		{"10-244-0-6.db" + svc, "A", "10.244.0.6"},
		{"10-244-0-7.db" + svc, "A", "unknown"},
		{"_sql._tcp.db" + svc, "SRV", "0 50 15432 db-0.db" + svc + ", 0 50 15432 10-244-0-6.db" + svc},
		{"empty" + svc, "A", ""},
		{"none" + svc, "A", "unknown"},
		{"a.b.c.web" + svc, "A", "unknown"},
		{"_tcp.web" + svc, "SRV", ""},
		{"_TCP.web" + svc, "A", ""},
		{"_udp.web" + svc, "SRV", "unknown"},
		{"_sctp.db" + svc, "SRV", ""},
		{"_tcp.empty" + svc, "SRV", "unknown"},
		{"_._tcp.plain" + svc, "SRV", "unknown"},
		{"_tcp.plain" + svc, "SRV", "unknown"},
		{"_tcp.none" + svc, "SRV", "unknown"},
		{"_tcp.away" + svc, "SRV", "unknown"},
		{"away" + svc, "A", "example.com. then example.com."},
		{"away" + svc, "CNAME", "example.com."},
		{"near" + svc, "A", "web" + svc + ", 10.96.0.20"},
		{"near" + svc, "TXT", "web" + svc},
		{"far" + svc, "A", "near" + svc + ", web" + svc + ", 10.96.0.20"},
		{"farther" + svc, "A", "away" + svc + ", example.com. then example.com."},
		{"lost" + svc, "A", "unknown"},
		{"one" + svc, "A", "other" + svc + ", one" + svc},
		{"number" + svc, "A", ""},
		{"x.away" + svc, "A", "unknown"},
		{"default.svc.cluster.local.", "A", ""},
		{"nowhere.svc.cluster.local.", "A", "unknown"},
		{"svc.cluster.local.", "A", ""},
		{"SVC.cluster.local.", "SRV", ""},
		{"dns.cluster.local.", "A", ""},
		{"pod.cluster.local.", "A", ""},
		{"default.pod.cluster.local.", "A", ""},
		{"x.dns.cluster.local.", "A", "unknown"},
		{"x.ns.dns.cluster.local.", "A", "unknown"},
		{"x.dns-version.cluster.local.", "TXT", "unknown"},
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
		{"20.0.96.10.in-addr.arpa.", "A", ""},
		{"5.0.244.10.in-addr.arpa.", "A", ""},
		{"0.96.10.in-addr.arpa.", "PTR", ""},
		{"1.96.10.in-addr.arpa.", "PTR", "unknown"},
		{"96.10.in-addr.arpa.", "PTR", ""},
		{"96.10.in-addr.arpa.", "SOA", "ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5"},
		{"10.in-addr.arpa.", "PTR", "elsewhere"},
		{"in-addr.arpa.", "PTR", "elsewhere"},
		{"1.20.0.96.10.in-addr.arpa.", "PTR", "elsewhere"},
		{"300.0.96.10.in-addr.arpa.", "PTR", "elsewhere"},
		{"d.f.ip6.arpa.", "PTR", "elsewhere"},
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
