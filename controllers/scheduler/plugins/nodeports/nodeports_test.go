package nodeports

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/internal/opinions"
)

func port(number int32, ip string, protocol corev1.Protocol) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Ports = append(p.Spec.Containers[0].Ports, corev1.ContainerPort{ContainerPort: 80, HostPort: number, HostIP: ip, Protocol: protocol})
	}
}

func sidecarPort(number int32) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.InitContainers = []corev1.Container{{RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways), Ports: []corev1.ContainerPort{{HostPort: number}}}}
	}
}

func TestPortsConflict(t *testing.T) {
	const no = "node(s) didn't have free ports for the requested pod ports"
	const tcp, udp = corev1.ProtocolTCP, corev1.ProtocolUDP
	for name, test := range map[string]struct {
		running, pod func(*corev1.Pod)
		want         string
	}{
		"none":                     {port(0, "", tcp), port(0, "", tcp), "ok"},
		"the same":                 {port(80, "", tcp), port(80, "", tcp), no},
		"without protocol":         {port(80, "", ""), port(80, "", tcp), no},
		"another port":             {port(80, "", tcp), port(81, "", tcp), "ok"},
		"another protocol":         {port(80, "", tcp), port(80, "", udp), "ok"},
		"another address":          {port(80, "127.0.0.1", tcp), port(80, "192.0.2.1", tcp), "ok"},
		"the same address":         {port(80, "127.0.0.1", tcp), port(80, "127.0.0.1", tcp), no},
		"one address, then all":    {port(80, "127.0.0.1", tcp), port(80, "", tcp), no},
		"all, then one address":    {port(80, "0.0.0.0", tcp), port(80, "127.0.0.1", tcp), no},
		"all addresses, two names": {port(80, "::", tcp), port(80, "0.0.0.0", tcp), no},
		"a sidecar's":              {sidecarPort(80), port(80, "", tcp), no},
	} {
		t.Run(name, func(t *testing.T) {
			node := opinions.Node("n", "", opinions.Pod("running", test.running))
			opinions.Expect(t, opinions.Filter(t, Plugin{}, opinions.Pod("p", test.pod), node), test.want)
		})
	}
}

func TestPodThatFreesThePortHelps(t *testing.T) {
	pod := opinions.Pod("p", port(80, "", corev1.ProtocolTCP))
	for number, want := range map[int32]bool{80: true, 81: false} {
		event := framework.Event{Action: framework.PodRemoved, Old: opinions.Pod("gone", port(number, "", corev1.ProtocolTCP))}
		if got := opinions.Helps(Plugin{}, pod, event); got != want {
			t.Errorf("port %d helps: %v, want %v", number, got, want)
		}
	}
}
