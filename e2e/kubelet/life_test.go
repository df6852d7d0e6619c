package kubelet_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAPodRunsAndIsDeleted(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		began := time.Now()
		p := w.create(pod("a", "echo hello; trap 'exit 0' TERM; while :; do sleep 0.1; done"))
		w.until("a", "ran", running)
		t.Logf("running after %s", time.Since(began).Round(time.Millisecond))
		eventually(t, "it wrote", func() bool { return w.logs(p, "main", 0) == "hello\n" })
		began = time.Now()
		if err := w.client.CoreV1().Pods("default").Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		w.until("a", "went", gone)
		t.Logf("gone after %s", time.Since(began).Round(time.Millisecond))
	}
	w.tell("a")
}
