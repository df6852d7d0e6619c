package daemon

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/coracle-k8s/coracle/controllers/podset"
)

// One Pod has failed so often that it stays for minutes, the other but once.
func TestOneThatFailsOftenDelaysNoOther(t *testing.T) {
	recorder := events.NewFakeRecorder(10)
	at := now
	r := &controller{
		pods: podset.Control{Client: fake.NewClientBuilder().Build(), Recorder: recorder}, recorder: recorder,
		now: func() time.Time { return at }, failures: flowcontrol.NewBackOff(firstReplacement, lastReplacement),
	}
	often, once := pod("a", "often new failed"), pod("b", "once new failed")
	ds := daemonSet(0, 1)
	for range 8 {
		r.replace(ds, often)
		at = at.Add(r.failures.Get("d/0/a") + time.Second)
	}
	r.replace(ds, often)
	r.replace(ds, once)
	again, err := r.carryOut(t.Context(), observation{ds: ds}, plan{ended: []*corev1.Pod{once, often}})
	if err != nil || again != firstReplacement {
		t.Errorf("looks again in %s, %v; want %s", again, err, firstReplacement)
	}
}
