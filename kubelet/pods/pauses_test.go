package pods

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func TestPausesHoldBackOnlyWhatFailed(t *testing.T) {
	m1, m2 := &corev1.Container{Name: "m1"}, &corev1.Container{Name: "m2"}
	start := func(c *corev1.Container) action { return startContainer{spec: c} }
	stop := func(c *corev1.Container) action { return stopContainer{id: c.Name + "-id", spec: c} }
	p := pauses{}
	p.failed(start(m1).key(), errors.New("no"), now)
	p.failed(stop(m2).key(), errors.New("no"), now)
	due, left := p.due([]action{start(m1), stop(m2), start(m2), resize{}}, now)
	if len(due) != 1 || due[0].key() != "resize" || left != firstRetry {
		t.Errorf("due: %v, %v", due, left)
	}
	due, left = p.due([]action{start(m1), stop(m2), start(m2)}, now.Add(firstRetry))
	if len(due) != 3 || left != 0 {
		t.Errorf("after the pause: %v, %v", due, left)
	}
	if p.due(nil, now.Add(firstRetry)); len(p) != 0 {
		t.Errorf("remembered for nothing: %v", p)
	}
}

func TestPausesGrowToALimit(t *testing.T) {
	p, at := pauses{}, now
	for _, want := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 20 * time.Second, 20 * time.Second} {
		p.failed("stop", errors.New("no"), at)
		if _, left := p.due([]action{stopPod{}}, at); left != want {
			t.Errorf("a pause of %v, want %v", left, want)
		}
		at = at.Add(want)
	}
}

func TestImageThatCannotBePulledHoldsUpNoOtherContainer(t *testing.T) {
	onNode(t, func(n *testNode) {
		n.images.failing = map[string]error{"bad": &Reasoned{Reason: "ImagePullBackOff", Retry: time.Now().Add(5 * time.Minute), Err: errors.New("back-off pulling image")}}
		pod := spec(corev1.RestartPolicyAlways, "m1 m2")
		pod.Spec.Containers[1].Image = "bad"
		n.add(pod)
		n.wantStates(pod, "m1=running m2=ImagePullBackOff")
		n.ends(pod, "m1", 1)
		time.Sleep(time.Second)
		synctest.Wait()
		n.wantStates(pod, "m1=running m2=ImagePullBackOff")
		n.probes.say("m1", true)
		n.RuntimeChanged(pod.UID)
		time.Sleep(time.Second)
		synctest.Wait()
		if n.runtime.stops == 0 {
			t.Error("a container that failed its probe was not stopped beside one that waits for its image")
		}
		n.probes.say("m1", false)

		good := pod.DeepCopy()
		good.Generation++
		good.Spec.Containers[1].Image = "good"
		n.add(good)
		time.Sleep(time.Second)
		synctest.Wait()
		if n.images.asked["good"] == 0 {
			t.Error("a new image was not tried at once")
		}
	})
}

func TestVolumesThatFailAreTriedOncePerBatch(t *testing.T) {
	onNode(t, func(n *testNode) {
		pod := n.add(spec(corev1.RestartPolicyAlways, "m1 m2"))
		n.volumes.failure = errors.New("no volume")
		n.ends(pod, "m1", 1)
		n.ends(pod, "m2", 1)
		for len(n.events.Events) > 0 {
			<-n.events.Events
		}
		time.Sleep(20 * time.Second) // both are due again after their back-off
		synctest.Wait()
		n.volumes.failure = nil
		n.Retry(pod.UID)
		time.Sleep(time.Minute)
		synctest.Wait()
		n.wantStates(pod, "m1=running m2=running")
	})
}

func TestStopThatFailsIsTriedAgainAfterAPause(t *testing.T) {
	onNode(t, func(n *testNode) {
		pod := n.add(spec(corev1.RestartPolicyAlways, "m1"))
		n.runtime.stopping = errors.New("no runc")
		gone := pod.DeepCopy()
		gone.Generation++
		gone.DeletionTimestamp, gone.DeletionGracePeriodSeconds = metav1Now(), new(int64)
		n.add(gone)
		time.Sleep(time.Minute)
		synctest.Wait()
		// 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 51.5 s
		if n.runtime.stops != 8 {
			t.Errorf("stopped %d times in a minute, want 8", n.runtime.stops)
		}
		n.runtime.mu.Lock()
		n.runtime.stopping = nil
		n.runtime.mu.Unlock()
		time.Sleep(lastRetry)
		synctest.Wait()
		n.wantStates(pod, "m1=ended")
	})
}

func TestNetworkIsTakenDownUntilItIsDown(t *testing.T) {
	onNode(t, func(n *testNode) {
		pod := n.add(spec(corev1.RestartPolicyNever, "m1"))
		n.runtime.unplugging = errors.New("no plugin")
		n.ends(pod, "m1", 0)
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := n.Status.Latest(pod); s.Phase != corev1.PodRunning {
			t.Errorf("the pod is %s while its network is up", s.Phase)
		}
		n.runtime.mu.Lock()
		n.runtime.unplugging = nil
		before := len(n.runtime.calls)
		n.runtime.mu.Unlock()
		time.Sleep(2 * lastRetry)
		synctest.Wait()
		if s := n.Status.Latest(pod); s.Phase != corev1.PodSucceeded {
			t.Errorf("the pod is %s", s.Phase)
		}
		if calls := n.runtime.calls[before:]; len(calls) != 1 {
			t.Errorf("asked for %v, want one stop", calls)
		}

		// Another process does not know whether it worked, and takes down what has ended once.
		pod.Status = n.Status.Latest(pod)
		n.stop()
		before = len(n.runtime.calls)
		again := newTestNode(n.T, n.dir, []*corev1.Pod{pod}, func(c *Config) { c.Runtime = n.runtime })
		defer again.stop()
		time.Sleep(time.Minute)
		synctest.Wait()
		if calls := n.runtime.calls[before:]; len(calls) != 1 || calls[0] != "stop sandbox" {
			t.Errorf("asked for %v, want one stop", calls)
		}
	})
}
