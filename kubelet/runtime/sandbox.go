package runtime

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// SandboxInput is what a sandbox's configuration is made of besides its Pod.
type SandboxInput struct {
	Pod          *corev1.Pod
	Attempt      uint32
	Hostname     string
	DNS          *runtimeapi.DNSConfig
	LogDirectory string
	CgroupParent string
	Resources    *runtimeapi.LinuxContainerResources
	Overhead     *runtimeapi.LinuxContainerResources
	// Seccomp is the profile of the sandbox's own process, a file; the runtime's default where empty.
	Seccomp string
	UserNS  *runtimeapi.UserNamespace
}

// SandboxConfig renders the runtime's configuration of a Pod's sandbox.
func SandboxConfig(in SandboxInput) *runtimeapi.PodSandboxConfig {
	pod := in.Pod
	labels := maps.Clone(pod.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, podLabels(pod))
	config := &runtimeapi.PodSandboxConfig{
		Metadata: &runtimeapi.PodSandboxMetadata{
			Name: pod.Name, Namespace: pod.Namespace, Uid: string(pod.UID), Attempt: in.Attempt,
		},
		DnsConfig:    in.DNS,
		LogDirectory: in.LogDirectory,
		PortMappings: portMappings(pod),
		Labels:       labels,
		Annotations:  maps.Clone(pod.Annotations),
		Linux: &runtimeapi.LinuxPodSandboxConfig{
			CgroupParent:    in.CgroupParent,
			SecurityContext: sandboxSecurity(in),
			Sysctls:         sysctls(pod),
			Overhead:        in.Overhead,
			Resources:       in.Resources,
		},
	}
	if !pod.Spec.HostNetwork {
		config.Hostname = in.Hostname
	}
	return config
}

func portMappings(pod *corev1.Pod) []*runtimeapi.PortMapping {
	var mappings []*runtimeapi.PortMapping
	add := func(containers []corev1.Container) {
		for i := range containers {
			for _, p := range containers[i].Ports {
				mappings = append(mappings, &runtimeapi.PortMapping{
					HostIp: p.HostIP, HostPort: p.HostPort, ContainerPort: p.ContainerPort, Protocol: protocol(p.Protocol),
				})
			}
		}
	}
	add(pod.Spec.InitContainers)
	add(pod.Spec.Containers)
	return mappings
}

func protocol(p corev1.Protocol) runtimeapi.Protocol {
	switch p {
	case corev1.ProtocolUDP:
		return runtimeapi.Protocol_UDP
	case corev1.ProtocolSCTP:
		return runtimeapi.Protocol_SCTP
	}
	return runtimeapi.Protocol_TCP
}

func sysctls(pod *corev1.Pod) map[string]string {
	values := map[string]string{}
	if sc := pod.Spec.SecurityContext; sc != nil {
		for _, s := range sc.Sysctls {
			values[s.Name] = s.Value
		}
	}
	return values
}

func sandboxSecurity(in SandboxInput) *runtimeapi.LinuxSandboxSecurityContext {
	pod := in.Pod
	out := &runtimeapi.LinuxSandboxSecurityContext{
		Privileged:       hasPrivileged(pod),
		NamespaceOptions: namespaces(pod, in.UserNS),
		Seccomp:          &runtimeapi.SecurityProfile{ProfileType: runtimeapi.SecurityProfile_RuntimeDefault},
	}
	if in.Seccomp != "" {
		out.Seccomp = &runtimeapi.SecurityProfile{ProfileType: runtimeapi.SecurityProfile_Localhost, LocalhostRef: in.Seccomp}
	}
	sc := pod.Spec.SecurityContext
	if sc == nil {
		return out
	}
	if sc.RunAsUser != nil {
		out.RunAsUser = &runtimeapi.Int64Value{Value: *sc.RunAsUser}
		// A group without a user is refused by the runtime.
		if sc.RunAsGroup != nil {
			out.RunAsGroup = &runtimeapi.Int64Value{Value: *sc.RunAsGroup}
		}
	}
	out.SelinuxOptions = selinux(sc.SELinuxOptions)
	out.SupplementalGroups = supplementalGroups(pod)
	out.SupplementalGroupsPolicy = groupsPolicy(sc.SupplementalGroupsPolicy)
	return out
}

func hasPrivileged(pod *corev1.Pod) bool {
	privileged := func(sc *corev1.SecurityContext) bool {
		return sc != nil && sc.Privileged != nil && *sc.Privileged
	}
	for i := range pod.Spec.InitContainers {
		if privileged(pod.Spec.InitContainers[i].SecurityContext) {
			return true
		}
	}
	for i := range pod.Spec.Containers {
		if privileged(pod.Spec.Containers[i].SecurityContext) {
			return true
		}
	}
	return false
}

// namespaces returns the modes that all containers of a Pod share.
func namespaces(pod *corev1.Pod, userNS *runtimeapi.UserNamespace) *runtimeapi.NamespaceOption {
	options := &runtimeapi.NamespaceOption{
		Network: runtimeapi.NamespaceMode_POD, Ipc: runtimeapi.NamespaceMode_POD, Pid: runtimeapi.NamespaceMode_CONTAINER,
		UsernsOptions: userNS,
	}
	if pod.Spec.HostNetwork {
		options.Network = runtimeapi.NamespaceMode_NODE
	}
	if pod.Spec.HostIPC {
		options.Ipc = runtimeapi.NamespaceMode_NODE
	}
	switch {
	case pod.Spec.HostPID:
		options.Pid = runtimeapi.NamespaceMode_NODE
	case pod.Spec.ShareProcessNamespace != nil && *pod.Spec.ShareProcessNamespace:
		options.Pid = runtimeapi.NamespaceMode_POD
	}
	return options
}
