package pods

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func TestWhatWasSeenWhileAPodStartedStartsNothingTwice(t *testing.T) {
	onNode(t, func(n *testNode) {
		n.runtime.slowStart, n.runtime.slowList = time.Second, 700*time.Millisecond
		pod := spec(corev1.RestartPolicyNever, "m1")
		n.Update(pod)
		for range 100 { // looks at all moments of the start
			time.Sleep(50 * time.Millisecond)
			n.RuntimeChanged(pod.UID)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if calls := strings.Join(n.runtime.calls, ", "); calls != "create m1/0" {
			t.Errorf("after the sandbox: %s; want: create m1/0", calls)
		}
		n.wantStates(pod, "m1=running")
	})
}
