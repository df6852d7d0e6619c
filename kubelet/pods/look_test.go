package pods

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func TestEventThatNamesNoPodIsHeard(t *testing.T) {
	onNode(t, func(n *testNode) {
		pod := n.add(spec(corev1.RestartPolicyNever, "m1"))
		n.runtime.end(pod.UID, "m1", 0)
		id := n.runtime.containers[0].Id
		n.runtime.events <- &runtimeapi.ContainerEventResponse{ContainerId: id, ContainerEventType: runtimeapi.ContainerEventType_CONTAINER_STOPPED_EVENT}
		synctest.Wait()
		n.wantStates(pod, "m1=ended")
	})
}

func TestEventOfAContainerNeverSeenMakesAllLook(t *testing.T) {
	onNode(t, func(n *testNode) {
		pod := n.add(spec(corev1.RestartPolicyNever, "m1"))
		n.runtime.end(pod.UID, "m1", 0)
		n.runtime.events <- &runtimeapi.ContainerEventResponse{ContainerId: "other", ContainerEventType: runtimeapi.ContainerEventType_CONTAINER_STOPPED_EVENT}
		synctest.Wait()
		n.wantStates(pod, "m1=ended")
	})
}

func TestLostEventIsMadeUpForByARelist(t *testing.T) {
	onNode(t, func(n *testNode) {
		pod := n.add(spec(corev1.RestartPolicyAlways, "m1"))
		n.runtime.end(pod.UID, "m1", 1)
		time.Sleep(relistEvery + time.Minute)
		synctest.Wait()
		n.wantStates(pod, "m1=running")
		if n.runtime.instances("m1") != 2 {
			t.Error("the container that ended unheard was not started again")
		}
	})
}

func TestRelistAsksTwoQuestionsWhereNothingChanged(t *testing.T) {
	onNode(t, func(n *testNode) {
		n.add(spec(corev1.RestartPolicyAlways, "m1 m2"))
		before := n.runtime.asked()
		time.Sleep(10*relistEvery + time.Second)
		synctest.Wait()
		if asked := n.runtime.asked() - before; asked != 20 {
			t.Errorf("%d lists were asked for in ten rounds, want 20", asked)
		}
	})
}

func TestLogsOfOtherKubeletsAreLeftAlone(t *testing.T) {
	onNode(t, func(n *testNode) {
		theirs, ours := filepath.Join(n.PodLogsDir, "default_web_theirs"), filepath.Join(n.PodLogsDir, "default_web_ours")
		for _, dir := range []string{theirs, ours, filepath.Join(n.PodsDir, "ours")} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(relistEvery + time.Minute)
		synctest.Wait()
		if _, err := os.Stat(theirs); err != nil {
			t.Error(err)
		}
		for _, gone := range []string{ours, filepath.Join(n.PodsDir, "ours")} {
			if _, err := os.Stat(gone); !os.IsNotExist(err) {
				t.Errorf("%s is left: %v", gone, err)
			}
		}
	})
}
