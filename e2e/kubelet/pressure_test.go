package kubelet_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestWhatHoldsMostOnDiskGoesFirst(t *testing.T) {
	w := newWorld(t)
	const end = "; echo; echo end; " + forever
	w.create(pod("layer", "head -c 3000000 /dev/urandom > /file"+end))
	// A line of the log is more than its character.
	w.create(pod("volume-and-log", "head -c 2000000 /dev/urandom > /v/file; head -c 50000 /dev/zero | tr '\\0' '\\n'"+end, withVolume(emptyDir, "/v")))
	for _, name := range []string{"layer", "volume-and-log"} {
		p := w.until(name, "ran", running)
		w.wroteLike(p, "main", "end\n", strings.HasSuffix)
	}
	w.stop()
	w.evictionHard = "nodefs.available<1Ei"
	w.startKubelet()
	p := w.until("volume-and-log", "was evicted", finished)
	if p.Status.Reason != "Evicted" || !strings.HasPrefix(p.Status.Message, "The node was low on resource: ephemeral-storage. Threshold quantity: 1Ei, ") {
		t.Errorf("it ended by %s: %s", p.Status.Reason, p.Status.Message)
	}
	if p := w.get("layer"); p.Status.Phase != corev1.PodRunning {
		t.Errorf("what holds less is %s: %s", p.Status.Phase, p.Status.Message)
	}
}
