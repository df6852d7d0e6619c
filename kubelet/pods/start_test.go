package pods

import (
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func TestStartIsNotCutOff(t *testing.T) {
	onNode(t, func(n *testNode) {
		n.runtime.slowStart = 5 * time.Second
		pod := n.add(spec(corev1.RestartPolicyNever, "m1"))
		gone := pod.DeepCopy()
		gone.Generation++
		gone.DeletionTimestamp, gone.DeletionGracePeriodSeconds = metav1Now(), new(int64)
		n.add(gone)
		time.Sleep(time.Minute)
		synctest.Wait()
		n.wantStates(pod, "m1=ended")
		if end := n.Status.Latest(pod).ContainerStatuses[0].State.Terminated; end == nil || end.ExitCode != 137 {
			t.Errorf("it ended as %+v, want killed", end)
		}
	})
}
