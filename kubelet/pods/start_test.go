package pods

import (
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

func TestStartIsNotCutOffUnlessItHangs(t *testing.T) {
	for slow, code := range map[time.Duration]int32{5 * time.Second: 137, time.Hour: 128} {
		t.Run(slow.String(), func(t *testing.T) { endsWhileStarting(t, slow, code) })
	}
}

func endsWhileStarting(t *testing.T, slow time.Duration, code int32) {
	// For the runtime, a container whose start is cut off has ended with a code that no program gave, and its Pod has failed by it.
	whole := func(c *Config) { c.Runtime = runtime.NewWhole(c.Runtime) }
	onNode(t, func(n *testNode) {
		n.runtime.slowStart = slow
		pod := n.add(spec(corev1.RestartPolicyNever, "m1"))
		gone := pod.DeepCopy()
		gone.Generation++
		gone.DeletionTimestamp, gone.DeletionGracePeriodSeconds = metav1Now(), new(int64)
		n.add(gone)
		time.Sleep(time.Minute)
		synctest.Wait()
		n.wantStates(pod, "m1=ended")
		if end := n.Status.Latest(pod).ContainerStatuses[0].State.Terminated; end == nil || end.ExitCode != code {
			t.Errorf("it ended as %+v, want code %d", end, code)
		}
	}, whole)
}
