package kubelets

import (
	"crypto/tls"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestTo(t *testing.T) {
	address := func(t corev1.NodeAddressType, a string) corev1.NodeAddress {
		return corev1.NodeAddress{Type: t, Address: a}
	}
	kubelets := New(&tls.Config{ServerName: "x"}, 0)
	for name, c := range map[string]struct {
		addresses []corev1.NodeAddress
		port      int32
		want      string
	}{
		"internal IP first": {[]corev1.NodeAddress{address(corev1.NodeExternalIP, "1.2.3.4"), address(corev1.NodeHostName, "n"), address(corev1.NodeInternalIP, "10.0.0.1")}, 0, "10.0.0.1:10250"},
		"port of the node":  {[]corev1.NodeAddress{address(corev1.NodeInternalIP, "fd00::1")}, 10300, "[fd00::1]:10300"},
		"host name":         {[]corev1.NodeAddress{address(corev1.NodeExternalDNS, "n.example.com"), address(corev1.NodeHostName, "n")}, 0, "n:10250"},
	} {
		n := &corev1.Node{Status: corev1.NodeStatus{Addresses: c.addresses}}
		n.Status.DaemonEndpoints.KubeletEndpoint.Port = c.port
		to, err := kubelets.To(n)
		if err != nil || to.Host() != c.want {
			t.Errorf("%s: got %+v, %v, want %s", name, to, err, c.want)
		}
	}
	if _, err := kubelets.To(&corev1.Node{}); err == nil {
		t.Error("a node without addresses was reached")
	}
	var none *Transport
	if _, err := none.To(&corev1.Node{}); err == nil {
		t.Error("a kubelet was reached without a transport")
	}
}
