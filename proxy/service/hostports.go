package service

import (
	"cmp"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/apis/core"
)

// podAddresses are those that a Pod has of its own, while it lives.
func podAddresses(pod *corev1.Pod) []netip.Addr {
	if pod.Spec.HostNetwork || core.PodTerminal(pod) {
		return nil
	}
	var addresses []netip.Addr
	for _, ip := range pod.Status.PodIPs {
		addresses = append(addresses, parseAll([]string{ip.IP})...)
	}
	return addresses
}

// hostPortsOf lists the node's ports that lead to a Pod with an address of its
// own, while it lives.
func hostPortsOf(pod *corev1.Pod) []HostPort {
	addresses := podAddresses(pod)
	var ports []HostPort
	open := func(container *corev1.Container) {
		for _, port := range container.Ports {
			if port.HostPort == 0 {
				continue
			}
			for _, address := range addresses {
				if p, ok := hostPort(pod, port, address); ok {
					ports = append(ports, p)
				}
			}
		}
	}
	for i := range pod.Spec.InitContainers {
		if core.IsSidecar(&pod.Spec.InitContainers[i]) {
			open(&pod.Spec.InitContainers[i])
		}
	}
	for i := range pod.Spec.Containers {
		open(&pod.Spec.Containers[i])
	}
	return ports
}

func hostPort(pod *corev1.Pod, port corev1.ContainerPort, address netip.Addr) (HostPort, bool) {
	p := HostPort{
		Pod:      types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name},
		Port:     uint16(port.HostPort),
		Protocol: cmp.Or(port.Protocol, corev1.ProtocolTCP),
		Target:   netip.AddrPortFrom(address, uint16(port.ContainerPort)),
	}
	if port.HostIP == "" {
		return p, true
	}
	hostIP, err := netip.ParseAddr(port.HostIP)
	if err != nil || hostIP.Is4() != address.Is4() {
		return p, false
	}
	if !hostIP.IsUnspecified() {
		p.HostIP = hostIP
	}
	return p, true
}

// allHostPorts lists those of all Pods: with an address before those without,
// which would take their packets.
func (t *Tracker) allHostPorts() []HostPort {
	var all []HostPort
	for _, ports := range t.hostPorts {
		all = append(all, ports...)
	}
	slices.SortFunc(all, func(a, b HostPort) int {
		return cmp.Or(
			-a.HostIP.Compare(b.HostIP),
			cmp.Compare(a.Port, b.Port),
			cmp.Compare(a.Protocol, b.Protocol),
			a.Target.Compare(b.Target),
		)
	})
	return all
}
