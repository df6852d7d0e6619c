package pods

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
)

func quantity(s string) resource.Quantity { return resource.MustParse(s) }

func TestResolverConfiguration(t *testing.T) {
	d := dnsSource{servers: []string{"10.96.0.10"}, domain: "cluster.local"}
	host := parseResolvConf("# c\nnameserver 1.1.1.1\nsearch a.example b.example.\noptions timeout:1 rotate\n")
	tests := []struct {
		name        string
		change      func(*corev1.PodSpec)
		servers     string
		search      string
		optionsText string
	}{
		{"cluster first", func(s *corev1.PodSpec) { s.DNSPolicy = corev1.DNSClusterFirst }, "10.96.0.10", "ns.svc.cluster.local svc.cluster.local cluster.local a.example b.example", "ndots:5"},
		{"default", func(s *corev1.PodSpec) { s.DNSPolicy = corev1.DNSDefault }, "1.1.1.1", "a.example b.example", "timeout:1 rotate"},
		{"on the host's network", func(s *corev1.PodSpec) { s.DNSPolicy, s.HostNetwork = corev1.DNSClusterFirst, true }, "1.1.1.1", "a.example b.example", "timeout:1 rotate"},
		{"with the host's network", func(s *corev1.PodSpec) { s.DNSPolicy, s.HostNetwork = corev1.DNSClusterFirstWithHostNet, true }, "10.96.0.10", "ns.svc.cluster.local svc.cluster.local cluster.local a.example b.example", "ndots:5"},
		{"own", func(s *corev1.PodSpec) {
			s.DNSPolicy = corev1.DNSNone
			s.DNSConfig = &corev1.PodDNSConfig{Nameservers: []string{"9.9.9.9"}, Searches: []string{"x"}, Options: []corev1.PodDNSConfigOption{{Name: "debug"}}}
		}, "9.9.9.9", "x", "debug"},
		{"merged", func(s *corev1.PodSpec) {
			s.DNSPolicy = corev1.DNSClusterFirst
			s.DNSConfig = &corev1.PodDNSConfig{Nameservers: []string{"9.9.9.9"}, Searches: []string{"svc.cluster.local", "x"}, Options: []corev1.PodDNSConfigOption{{Name: "ndots", Value: ptr.To("2")}}}
		}, "10.96.0.10 9.9.9.9", "ns.svc.cluster.local svc.cluster.local cluster.local a.example b.example x", "ndots:2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pod := &corev1.Pod{}
			pod.Namespace = "ns"
			tt.change(&pod.Spec)
			got := d.render(pod, host)
			if s := strings.Join(got.Servers, " "); s != tt.servers {
				t.Errorf("servers %q, want %q", s, tt.servers)
			}
			if s := strings.Join(got.Searches, " "); s != tt.search {
				t.Errorf("searches %q, want %q", s, tt.search)
			}
			if s := strings.Join(got.Options, " "); s != tt.optionsText {
				t.Errorf("options %q, want %q", s, tt.optionsText)
			}
		})
	}
}

func TestHostname(t *testing.T) {
	m := &Manager{Config: Config{ClusterDomain: "cluster.local"}}
	tests := []struct {
		name   string
		change func(*corev1.Pod)
		want   string
		domain string
	}{
		{"the pod's name", func(*corev1.Pod) {}, "p", ""},
		{"its own", func(p *corev1.Pod) { p.Spec.Hostname = "h" }, "h", ""},
		{"in a subdomain", func(p *corev1.Pod) { p.Spec.Subdomain = "s" }, "p", "s.ns.svc.cluster.local"},
		{"in full", func(p *corev1.Pod) { p.Spec.Subdomain, p.Spec.SetHostnameAsFQDN = "s", ptr.To(true) }, "p.s.ns.svc.cluster.local", "s.ns.svc.cluster.local"},
		{"cut short", func(p *corev1.Pod) { p.Name = strings.Repeat("a", 62) + "-bc" }, strings.Repeat("a", 62), ""},
		{"overridden", func(p *corev1.Pod) { p.Spec.HostnameOverride, p.Spec.Hostname = ptr.To("x.y"), "h" }, "x.y", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pod := &corev1.Pod{}
			pod.Name, pod.Namespace = "p", "ns"
			tt.change(pod)
			if name, domain := m.hostname(pod); name != tt.want || domain != tt.domain {
				t.Errorf("got %q %q, want %q %q", name, domain, tt.want, tt.domain)
			}
		})
	}
}

func TestHostsFile(t *testing.T) {
	got := podHosts([]string{"10.0.0.1", "fd00::1"}, "p", "s.ns.svc.cluster.local", []corev1.HostAlias{{IP: "1.2.3.4", Hostnames: []string{"a", "b"}}})
	for _, line := range []string{
		"# Kubernetes-managed hosts file.", "10.0.0.1\tp.s.ns.svc.cluster.local\tp", "fd00::1\tp.s.ns.svc.cluster.local\tp",
		"# Entries added by HostAliases.", "1.2.3.4\ta\tb",
	} {
		if !slices.Contains(strings.Split(got, "\n"), line) {
			t.Errorf("lacks %q:\n%s", line, got)
		}
	}
}

// A node's resolver listens on the node's loopback address alone: Pods are given the servers that it asks itself.
func TestPodsAreNotSentToTheNodesOwnResolver(t *testing.T) {
	for name, c := range map[string]struct{ host, behind, want string }{
		"stub of systemd-resolved": {"nameserver 127.0.0.53\noptions edns0\n", "nameserver 9.9.9.9\n", "9.9.9.9"},
		"no resolv.conf":           {"", "nameserver 9.9.9.9\n", "9.9.9.9"},
		"servers of the network":   {"nameserver 1.1.1.1\n", "nameserver 9.9.9.9\n", "1.1.1.1"},
		"one of both":              {"nameserver 127.0.0.1\nnameserver 1.1.1.1\n", "nameserver 9.9.9.9\n", "127.0.0.1 1.1.1.1"},
		"nothing behind":           {"nameserver 127.0.0.53\n", "", "127.0.0.53"},
		"itself behind":            {"nameserver ::1\n", "nameserver 127.0.0.1\n", "::1"},
	} {
		dir := t.TempDir()
		d := dnsSource{host: filepath.Join(dir, "host"), behind: filepath.Join(dir, "behind")}
		for file, content := range map[string]string{d.host: c.host, d.behind: c.behind} {
			if content == "" {
				continue
			}
			if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		pod := &corev1.Pod{}
		pod.Spec.DNSPolicy = corev1.DNSDefault
		got, err := d.config(pod)
		if err != nil || strings.Join(got.Servers, " ") != c.want {
			t.Errorf("%s: %v, %v, want %s", name, got, err, c.want)
		}
	}
}
