package admission

import (
	"fmt"
	"regexp"
	"strings"

	"k8s.io/component-helpers/node/util/sysctl"
)

// safeSysctls are those that every Pod may set: they hold in its own namespaces only and do nobody else harm. All kernels that this
// runs on have them. https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/#safe-and-unsafe-sysctls
var safeSysctls = []string{
	"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
	"net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
	"net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
}

// Sysctls are the kernel parameters that Pods of this node may set.
type Sysctls struct {
	names, prefixes map[string]sysctl.Namespace
}

var sysctlPattern = regexp.MustCompile(`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*([a-z0-9][-_a-z0-9]*)?[a-z0-9*]$`)

// ParseSysctls reads which unsafe parameters are allowed besides the safe ones. Each is a name, or a prefix that ends in *, of parameters
// that every Pod can have its own of.
func ParseSysctls(unsafe []string) (*Sysctls, error) {
	s := &Sysctls{names: map[string]sysctl.Namespace{}, prefixes: map[string]sysctl.Namespace{}}
	for _, name := range safeSysctls {
		s.names[name], _, _ = sysctl.GetNamespace(name)
	}
	for _, pattern := range unsafe {
		if len(pattern) > 253 || !sysctlPattern.MatchString(pattern) {
			return nil, fmt.Errorf("sysctl %q must have at most 253 characters and match %s", pattern, sysctlPattern)
		}
		namespace, name, isPrefix := sysctl.GetNamespace(pattern)
		switch {
		case namespace == sysctl.UnknownNamespace:
			return nil, fmt.Errorf("sysctl %q: the kernel has one of it for all, it is not known to be of a namespace", pattern)
		case isPrefix:
			s.prefixes[name] = namespace
		default:
			s.names[name] = namespace
		}
	}
	return s, nil
}

// check returns why a Pod may not set a parameter. In the host's namespaces it would be the host's.
func (s *Sysctls) check(name string, hostNetwork, hostIPC bool) error {
	name = sysctl.NormalizeName(name)
	namespace, allowed := s.names[name]
	for prefix, of := range s.prefixes {
		if !allowed && strings.HasPrefix(name, prefix) {
			namespace, allowed = of, true
		}
	}
	if !allowed {
		return fmt.Errorf("%q not allowlisted", name)
	}
	if namespace == sysctl.IPCNamespace && hostIPC || namespace == sysctl.NetNamespace && hostNetwork {
		return fmt.Errorf("%q not allowed with host %s enabled", name, namespace)
	}
	return nil
}

func (n *Node) sysctls(r Request) *Refusal {
	if r.Pod.Spec.SecurityContext == nil {
		return nil
	}
	for _, s := range r.Pod.Spec.SecurityContext.Sysctls {
		if err := n.Sysctls.check(s.Name, r.Pod.Spec.HostNetwork, r.Pod.Spec.HostIPC); err != nil {
			return refuse("SysctlForbidden", "forbidden sysctl: %v", err)
		}
	}
	return nil
}
