package snapshot

import (
	"maps"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/apis/core"
)

const anyIP = "0.0.0.0"

// HostPort is a port that a pod takes on its node.
type HostPort struct {
	IP       string
	Protocol corev1.Protocol
	Port     int32
}

// HostPortsOf lists the node ports that a pod's containers and sidecars take.
func HostPortsOf(pod *corev1.Pod) []HostPort {
	var ports []HostPort
	take := func(container *corev1.Container) {
		for _, port := range container.Ports {
			if port.HostPort <= 0 {
				continue
			}
			taken := HostPort{IP: port.HostIP, Protocol: port.Protocol, Port: port.HostPort}
			if taken.IP == "" || taken.IP == "::" {
				taken.IP = anyIP
			}
			if taken.Protocol == "" {
				taken.Protocol = corev1.ProtocolTCP
			}
			ports = append(ports, taken)
		}
	}
	for i := range pod.Spec.InitContainers {
		if core.IsSidecar(&pod.Spec.InitContainers[i]) {
			take(&pod.Spec.InitContainers[i])
		}
	}
	for i := range pod.Spec.Containers {
		take(&pod.Spec.Containers[i])
	}
	return ports
}

// Ports counts the host ports in use on a node.
type Ports map[HostPort]int

// Conflicts says whether a port is taken, on its address or on all.
func (p Ports) Conflicts(wanted HostPort) bool {
	if len(p) == 0 {
		return false
	}
	if wanted.IP != anyIP {
		return p[wanted] > 0 || p[HostPort{IP: anyIP, Protocol: wanted.Protocol, Port: wanted.Port}] > 0
	}
	for taken := range p {
		if taken.Port == wanted.Port && taken.Protocol == wanted.Protocol {
			return true
		}
	}
	return false
}

// Take counts one more user of a port.
func (p *Ports) Take(port HostPort) {
	if *p == nil {
		*p = Ports{}
	}
	(*p)[port]++
}

func (p Ports) release(port HostPort) {
	if p[port]--; p[port] <= 0 {
		delete(p, port)
	}
}

func (p Ports) clone() Ports { return maps.Clone(p) }
