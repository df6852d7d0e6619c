package pods

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/kubelet/admission"
	"github.com/coracle-k8s/coracle/kubelet/status"
)

// asking is a Pod of that name that requests CPU, as old as its number says.
func asking(name, cpu string, age int) *corev1.Pod {
	pod := spec(corev1.RestartPolicyAlways, "m1")
	pod.Name, pod.UID = name, types.UID(name)
	pod.CreationTimestamp = metav1.NewTime(now.Add(-time.Duration(age) * time.Hour))
	pod.Spec.Containers[0].Resources.Requests = corev1.ResourceList{"cpu": quantity(cpu)}
	return pod
}

func (n *testNode) wantReason(pod *corev1.Pod, want string) {
	n.Helper()
	if s := n.Status.Latest(pod); s.Reason != want || want != "" && s.Phase != corev1.PodFailed {
		n.Errorf("%s is %s %s: %s; want %s", pod.Name, s.Phase, s.Reason, s.Message, want)
	}
}

func TestPodThatCannotRunHereIsRefusedOnce(t *testing.T) {
	onNode(t, func(n *testNode) {
		pod := asking("p", "1", 0)
		pod.Spec.OS = &corev1.PodOS{Name: corev1.Windows}
		n.add(pod)
		n.wantReason(pod, "PodOSNotSupported")
		if s := n.Status.Latest(pod); s.Message != "Pod was rejected: Failed to admit pod as the OS field doesn't match node OS" {
			t.Errorf("it says %q", s.Message)
		}
		if len(n.events.Events) != 1 {
			t.Errorf("%d events", len(n.events.Events))
		}
		if e := <-n.events.Events; e != "Warning PodOSNotSupported Failed to admit pod as the OS field doesn't match node OS" {
			t.Errorf("event %q", e)
		}
	})
}

func TestCriticalPodTakesThePlaceOfOthersWhenTheyHaveEnded(t *testing.T) {
	onNode(t, func(n *testNode) {
		small, large := n.add(asking("small", "500m", 1)), n.add(asking("large", "1500m", 2))
		n.runtime.stopping = errors.New("not yet")
		pod := asking("critical", "1", 0)
		pod.Spec.Priority = ptr.To[int32](admission.SystemCritical)
		n.add(pod)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		n.wantStates(pod, "m1=ContainerCreating")
		n.runtime.mu.Lock()
		n.runtime.stopping = nil
		n.runtime.mu.Unlock()
		time.Sleep(lastRetry)
		synctest.Wait()
		n.wantStates(pod, "m1=running")
		n.wantReason(large, "Preempting")
		n.wantReason(small, "")
	})
}

func TestPodsKeepTheirShareWhenTheNodeStartsAgain(t *testing.T) {
	onNode(t, func(n *testNode) {
		ran, young, old := n.add(asking("ran", "1", 0)), asking("young", "1", 1), asking("old", "1", 2)
		n.stop()
		// The machine was started again: the runtime has nothing.
		again := newTestNode(n.T, n.dir, []*corev1.Pod{young, old, ran})
		defer again.stop()
		for pod, want := range map[*corev1.Pod]string{ran: "", old: "", young: "OutOfcpu"} {
			again.wantReason(pod, want)
		}
	})
}

func TestGrantedResourcesAreRememberedOverARestart(t *testing.T) {
	onNode(t, func(n *testNode) {
		pod, other := n.add(asking("p", "500m", 1)), n.add(asking("other", "400m", 1))
		n.stop()
		// The node had granted more when it stopped, which the container was not given yet; now the Pod asks for more than there is.
		granted := map[string]corev1.ResourceRequirements{"m1": {Requests: corev1.ResourceList{"cpu": quantity("1500m")}}}
		if err := writeRecord(n.recordFile(pod.UID), granted); err != nil {
			t.Fatal(err)
		}
		grown := pod.DeepCopy()
		grown.Status = n.Status.Latest(pod)
		grown.Spec.Containers[0].Resources.Requests["cpu"] = quantity("1800m")
		again := newTestNode(n.T, n.dir, []*corev1.Pod{grown, other}, func(c *Config) { c.Runtime = n.runtime })
		defer again.stop()
		late := again.add(asking("late", "500m", 0))
		again.wantReason(late, "OutOfcpu")
	})
}

func TestEvictionIsToldAsAnEvent(t *testing.T) {
	onNode(t, func(n *testNode) {
		pod := n.add(asking("p", "1", 0))
		n.Evict(pod.UID, status.Verdict{Reason: "Evicted", Message: "The node was low on resource: memory. ", Warning: true, Immediate: true})
		synctest.Wait()
		for len(n.events.Events) > 0 {
			if strings.HasPrefix(<-n.events.Events, "Warning Evicted The node was low") {
				return
			}
		}
		t.Error("there is no event")
	})
}
