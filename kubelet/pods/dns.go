package pods

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// The limits of a resolver's configuration.
const (
	maxNameservers = 3
	maxSearches    = 32
)

// dnsSource is what the resolver configuration of Pods is made of.
type dnsSource struct {
	servers []string // the cluster's
	domain  string   // the cluster's
	host    string   // the node's resolv.conf; empty for none
	// behind is the resolv.conf of a resolver on the node, for where host names nothing but that: no Pod reaches it on the node's
	// loopback address. Empty for none.
	behind string
}

// config returns a Pod's resolver configuration.
// https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-dns-policy
func (d dnsSource) config(pod *corev1.Pod) (*runtimeapi.DNSConfig, error) {
	host, err := readResolvConf(d.host)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(host.Servers, reachable) {
		behind, err := readResolvConf(d.behind)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(behind.Servers, reachable) {
			host = behind
		}
	}
	return d.render(pod, host), nil
}

// readResolvConf reads a resolver's configuration; one that is not there is empty.
func readResolvConf(file string) (*runtimeapi.DNSConfig, error) {
	if file == "" {
		return &runtimeapi.DNSConfig{}, nil
	}
	data, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("reading resolver configuration of the node: %w", err)
	}
	return parseResolvConf(string(data)), nil
}

// reachable says whether Pods can reach a name server: not on the node's loopback address.
func reachable(server string) bool {
	ip, err := netip.ParseAddr(server)
	return err != nil || !ip.IsLoopback()
}

func (d dnsSource) render(pod *corev1.Pod, host *runtimeapi.DNSConfig) *runtimeapi.DNSConfig {
	out := &runtimeapi.DNSConfig{}
	switch policy := pod.Spec.DNSPolicy; {
	case policy == corev1.DNSNone:
	case len(d.servers) > 0 && (policy == corev1.DNSClusterFirstWithHostNet || policy == corev1.DNSClusterFirst && !pod.Spec.HostNetwork):
		out.Servers = slices.Clone(d.servers)
		out.Searches = slices.Concat([]string{
			pod.Namespace + ".svc." + d.domain, "svc." + d.domain, d.domain,
		}, host.Searches)
		out.Options = []string{"ndots:5"}
	default:
		out = &runtimeapi.DNSConfig{Servers: host.Servers, Searches: host.Searches, Options: host.Options}
		if len(out.Servers) == 0 {
			out.Servers = []string{"127.0.0.1"}
		}
	}
	if extra := pod.Spec.DNSConfig; extra != nil {
		out.Servers = distinct(slices.Concat(out.Servers, extra.Nameservers))
		out.Searches = distinct(slices.Concat(out.Searches, extra.Searches))
		out.Options = mergeOptions(out.Options, extra.Options)
	}
	out.Servers = out.Servers[:min(len(out.Servers), maxNameservers)]
	out.Searches = distinct(out.Searches)
	out.Searches = out.Searches[:min(len(out.Searches), maxSearches)]
	return out
}

func distinct(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// mergeOptions lets a Pod's options replace those of the same name.
func mergeOptions(base []string, own []corev1.PodDNSConfigOption) []string {
	out := slices.Clone(base)
	for _, o := range own {
		text := o.Name
		if o.Value != nil && *o.Value != "" {
			text += ":" + *o.Value
		}
		i := slices.IndexFunc(out, func(s string) bool {
			name, _, _ := strings.Cut(s, ":")
			return name == o.Name
		})
		if i >= 0 {
			out[i] = text
		} else {
			out = append(out, text)
		}
	}
	return out
}

func parseResolvConf(text string) *runtimeapi.DNSConfig {
	out := &runtimeapi.DNSConfig{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			if len(fields) > 1 {
				out.Servers = append(out.Servers, fields[1])
			}
		case "search":
			out.Searches = nil
			for _, s := range fields[1:] {
				if s != "." {
					s = strings.TrimSuffix(s, ".")
				}
				out.Searches = append(out.Searches, s)
			}
		case "options":
			out.Options = append(out.Options, fields[1:]...)
		}
	}
	return out
}
