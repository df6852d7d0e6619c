package controllers_test

import (
	"net"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/await"
)

// TestNamespaceGoesWhileANodeDoesNotMeasure: a namespace is deleted by what discovery tells, and that does not depend on what metrics do.
func TestNamespaceGoesWhileANodeDoesNotMeasure(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan net.Conn, 8)
	go func() { // a kubelet that hears, and never answers
		for {
			c, err := listener.Accept()
			if err != nil {
				close(asked)
				return
			}
			asked <- c
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		for c := range asked {
			_ = c.Close()
		}
	})
	heartbeat(t, "mute")
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "mute"}}
	change(t, node, updateStatus, func(n *corev1.Node) {
		n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}}
		n.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(listener.Addr().(*net.TCPAddr).Port)
	})
	ns := namespace(t)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "p"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}, TerminationGracePeriodSeconds: ptr.To(int64(0))},
	}
	create(t, pod)
	bind(t, pod, "mute")
	change(t, pod, updateStatus, func(p *corev1.Pod) { p.Status.Phase = corev1.PodRunning })

	metrics := func() (string, error) {
		answer, err := kubernetes.NewForConfigOrDie(adminConfig).Discovery().RESTClient().Get().
			AbsPath("/apis/metrics.k8s.io/v1beta1/namespaces/" + ns + "/pods").DoRaw(t.Context())
		return string(answer), err
	}
	first, heard := make(chan error, 1), make(chan struct{})
	go func() { // until the server knows of the Pod there is nothing to ask about
		for {
			_, err := metrics()
			select {
			case <-heard:
				first <- err
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	held := await.Receive(t, asked, "the kubelet is asked")
	close(heard)
	defer held.Close()
	doomed := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
	if err := admin.Delete(t.Context(), doomed); err != nil {
		t.Fatal(err)
	}
	gone(t, doomed)
	if err := await.Receive(t, first, "what is known of the metrics"); err != nil {
		t.Errorf("a list of what is not known: %v", err)
	}
}
