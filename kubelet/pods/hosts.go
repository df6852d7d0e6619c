package pods

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const hostsPath = "/etc/hosts"

// hostsMount is the hosts file of a Pod, unless the container brings its own.
func (r *run) hostsMount(c *corev1.Container) (*runtimeapi.Mount, error) {
	for _, m := range c.VolumeMounts {
		if m.MountPath == hostsPath {
			return nil, nil
		}
	}
	if len(r.podIPs) == 0 {
		return nil, nil
	}
	content, err := r.hosts()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(r.podDir(r.pod), "etc-hosts")
	// Written in place: containers that already run have the file itself mounted.
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o644); err != nil {
		return nil, err
	}
	return &runtimeapi.Mount{HostPath: path, ContainerPath: hostsPath}, nil
}

func (r *run) hosts() (string, error) {
	if r.pod.Spec.HostNetwork {
		own, err := os.ReadFile(hostsPath)
		if err != nil {
			return "", err
		}
		return nodeHosts(string(own), r.pod.Spec.HostAliases), nil
	}
	name, domain := r.hostname(r.pod)
	return podHosts(r.podIPs, name, domain, r.pod.Spec.HostAliases), nil
}

func nodeHosts(own string, aliases []corev1.HostAlias) string {
	return "# Kubernetes-managed hosts file (host network).\n" + own + aliasLines(aliases)
}

// podHosts renders a Pod's hosts file.
// https://kubernetes.io/docs/tasks/network/customize-hosts-file-for-pods/
func podHosts(ips []string, name, domain string, aliases []corev1.HostAlias) string {
	var b strings.Builder
	b.WriteString("# Kubernetes-managed hosts file.\n" +
		"127.0.0.1\tlocalhost\n" +
		"::1\tlocalhost ip6-localhost ip6-loopback\n" +
		"fe00::0\tip6-localnet\n" +
		"fe00::0\tip6-mcastprefix\n" +
		"fe00::1\tip6-allnodes\n" +
		"fe00::2\tip6-allrouters\n")
	for _, ip := range ips {
		if domain != "" {
			fmt.Fprintf(&b, "%s\t%s.%s\t%s\n", ip, strings.TrimSuffix(name, "."+domain), domain, strings.TrimSuffix(name, "."+domain))
		} else {
			fmt.Fprintf(&b, "%s\t%s\n", ip, name)
		}
	}
	b.WriteString(aliasLines(aliases))
	return b.String()
}

func aliasLines(aliases []corev1.HostAlias) string {
	if len(aliases) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n# Entries added by HostAliases.\n")
	for _, a := range aliases {
		fmt.Fprintf(&b, "%s\t%s\n", a.IP, strings.Join(a.Hostnames, "\t"))
	}
	return b.String()
}
