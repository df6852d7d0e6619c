package pods

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// spec is a Pod of containers named in words: i: init, s: sidecar, m: main, e: ephemeral.
func spec(policy corev1.RestartPolicy, names string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "ns", UID: "u"}, Spec: corev1.PodSpec{NodeName: "n", RestartPolicy: policy}}
	for _, word := range strings.Fields(names) {
		c := corev1.Container{Name: word, Image: "image"}
		switch word[0] {
		case 's':
			c.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
			c.StartupProbe = &corev1.Probe{}
			fallthrough
		case 'i':
			pod.Spec.InitContainers = append(pod.Spec.InitContainers, c)
		case 'm':
			c.LivenessProbe = &corev1.Probe{}
			pod.Spec.Containers = append(pod.Spec.Containers, c)
		case 'e':
			pod.Spec.EphemeralContainers = append(pod.Spec.EphemeralContainers, corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon(c)})
		}
	}
	return pod
}

// held is what the runtime holds: a ready sandbox and containers as words say: name=state, exit codes for ended ones.
func held(words string) *runtime.Pod {
	pod := &runtime.Pod{UID: "u"}
	for i, word := range strings.Fields(words) {
		name, state, _ := strings.Cut(word, "=")
		if name == "sandbox" {
			pod.Sandboxes = append(pod.Sandboxes, &runtime.Sandbox{ID: "sb", Ready: state == "ready", IPs: []string{"10.0.0.1"}, Attempt: uint32(i)})
			continue
		}
		c := &runtime.Container{ID: name + "-id", Name: name, SandboxID: "sb", Hash: runtime.Hash(&corev1.Container{Name: name, Image: "image"})}
		switch state {
		case "running", "created", "unknown":
			c.State = runtime.State(state)
		default:
			c.State, c.FinishedAt = runtime.Exited, now.Add(-time.Second)
			if _, err := fmt.Sscan(state, &c.ExitCode); err != nil {
				panic(err)
			}
		}
		pod.Containers = append(pod.Containers, c)
	}
	return pod
}

// told writes a plan's actions in words.
func told(p plan) string {
	var words []string
	for _, a := range p.actions {
		switch a := a.(type) {
		case startSandbox:
			words = append(words, fmt.Sprintf("sandbox/%d", a.attempt))
		case stopPod:
			words = append(words, "stop-pod")
		case startContainer:
			words = append(words, fmt.Sprintf("start:%s/%d", a.spec.Name, a.restartCount))
		case stopContainer:
			words = append(words, "stop:"+strings.TrimSuffix(a.id, "-id"))
		case resize:
			words = append(words, "resize")
		}
	}
	if p.finishing {
		words = append(words, "finishing")
	}
	if p.done {
		words = append(words, "done")
	}
	return strings.Join(words, " ")
}

func TestDecide(t *testing.T) {
	always, onFailure, never := corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever
	deleted := func(f *facts) { f.pod.DeletionTimestamp = &metav1.Time{Time: now} }
	found := func(kind string, good bool, names ...string) func(*facts) {
		return func(f *facts) {
			finding := func(id string) *bool {
				if slices.Contains(names, strings.TrimSuffix(id, "-id")) {
					return &good
				}
				return nil
			}
			if kind == "startup" {
				f.startup = finding
			} else {
				f.liveness = finding
			}
		}
	}
	tests := []struct {
		name   string
		policy corev1.RestartPolicy
		spec   string
		held   string
		change func(*facts)
		want   string
	}{
		{"a new pod gets a sandbox", always, "m", "", nil, "sandbox/0"},
		{"and then its containers", always, "m1 m2", "sandbox=ready", nil, "start:m1/0 start:m2/0"},
		{"a pod that runs is left alone", always, "m1 m2", "sandbox=ready m1=running m2=running", nil, ""},
		{"a lost sandbox is replaced", always, "m", "sandbox=gone m=137", nil, "sandbox/1"},
		{"not for a pod that never restarts", never, "m", "sandbox=gone m=137", nil, "finishing done"},
		{"nor for one that has succeeded", onFailure, "m", "sandbox=gone m=0", nil, "finishing done"},
		{"one whose first start failed is tried again", never, "m", "sandbox=gone", nil, "sandbox/1"},
		{"an ended container is restarted", always, "m", "sandbox=ready m=0", nil, "start:m/1"},
		{"a failed one on failure", onFailure, "m1 m2", "sandbox=ready m1=1 m2=0", nil, "start:m1/1"},
		{"when all have succeeded the pod ends", onFailure, "m1 m2", "sandbox=ready m1=0 m2=0", nil, "stop-pod finishing"},
		{"never means never", never, "m", "sandbox=ready m=1", nil, "stop-pod finishing"},
		{"one that still runs keeps the pod", never, "m1 m2", "sandbox=ready m1=1 m2=running", nil, ""},
		{"one created but not started is started anew", always, "m", "sandbox=ready m=created", nil, "start:m/1"},
		{"an unknown one is stopped first", always, "m", "sandbox=ready m=unknown", nil, "stop:m start:m/1"},
		{"another image means another container", never, "m", "sandbox=ready m=running", func(f *facts) { f.pod.Spec.Containers[0].Image = "new" }, "stop:m start:m/1"},
		{"a dead one is restarted", always, "m", "sandbox=ready m=running", found("liveness", false, "m"), "stop:m start:m/1"},
		{"or only stopped", never, "m", "sandbox=ready m=running", found("liveness", false, "m"), "stop:m"},
		{"deletion stops everything", always, "i m", "sandbox=ready i=0 m=running", deleted, "stop-pod finishing"},
		{"and is done when nothing runs", always, "m", "sandbox=gone m=137", deleted, "finishing done"},
		{"one whose network may still be there is stopped", always, "m", "sandbox=gone m=137", func(f *facts) { deleted(f); f.down = nil }, "stop-pod finishing"},
		{"whatever it died of", never, "m", "sandbox=gone m=137", func(f *facts) { f.down = nil }, "stop-pod finishing"},
		{"init containers come one after the other", always, "i1 i2 m", "sandbox=ready", nil, "start:i1/0"},
		{"the next when the first is through", always, "i1 i2 m", "sandbox=ready i1=0", nil, "start:i2/0"},
		{"the main ones after the last", always, "i1 i2 m", "sandbox=ready i1=0 i2=0", nil, "start:m/0"},
		{"a running init container is waited for", always, "i1 m", "sandbox=ready i1=running", nil, ""},
		{"a failed one is tried again", always, "i1 m", "sandbox=ready i1=1", nil, "start:i1/1"},
		{"or ends the pod", never, "i1 m", "sandbox=ready i1=1", nil, "stop-pod finishing"},
		{"init containers that were forgotten do not run again", always, "i1 m", "sandbox=ready m=running", nil, ""},
		{"in a new sandbox they do", always, "i1 m", "sandbox=ready i1=0 m=137", func(f *facts) {
			for _, c := range f.runtime.Containers {
				c.SandboxID = "old"
			}
		}, "start:i1/1"},
		{"a sidecar is waited for until it has started", always, "s m", "sandbox=ready s=running", nil, ""},
		{"and then the next begins", always, "s m", "sandbox=ready s=running", found("startup", true, "s"), "start:m/0"},
		{"an ended sidecar is restarted", never, "s m", "sandbox=ready s=1 m=running", nil, "start:s/1"},
		{"but does not keep the pod alive", never, "s m", "sandbox=ready s=running m=0", found("startup", true, "s"), "stop-pod finishing"},
		{"a sidecar that does not start is restarted", always, "s m", "sandbox=ready s=running", found("startup", false, "s"), "stop:s start:s/1"},
		{"ephemeral containers start at any time", always, "i m e", "sandbox=ready i=running", nil, "start:e/0"},
		{"and once", always, "m e", "sandbox=ready m=running e=1", nil, ""},
		{"the deadline ends the pod", always, "m", "sandbox=ready m=running", func(f *facts) {
			f.pod.Spec.ActiveDeadlineSeconds = ptr.To[int64](10)
			f.old.StartTime = &metav1.Time{Time: now.Add(-11 * time.Second)}
		}, "stop-pod finishing"},
		{"a pod that has ended stays so", always, "m", "sandbox=gone", func(f *facts) { f.pod.Status.Phase = corev1.PodFailed }, "finishing done"},
		{"changed resources are given in place", always, "m", "sandbox=ready m=running", func(f *facts) {
			f.actuated = map[string]corev1.ResourceRequirements{"m": {Limits: corev1.ResourceList{"cpu": quantity("1")}}}
		}, "resize"},
		{"or by a restart", always, "m", "sandbox=ready m=running", func(f *facts) {
			f.actuated = map[string]corev1.ResourceRequirements{"m": {Limits: corev1.ResourceList{"cpu": quantity("1")}}}
			f.pod.Spec.Containers[0].ResizePolicy = []corev1.ContainerResizePolicy{{ResourceName: "cpu", RestartPolicy: corev1.RestartContainer}}
		}, "stop:m start:m/1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			unknown := func(string) *bool { return nil }
			f := facts{pod: spec(tt.policy, tt.spec), runtime: held(tt.held), now: now, backoff: &backoffs{}, startup: unknown, liveness: unknown, down: map[string]bool{"sb": true}}
			if tt.change != nil {
				tt.change(&f)
			}
			if got := told(decide(f)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRestartsAreHeldBack(t *testing.T) {
	b := &backoffs{}
	c := &corev1.Container{Name: "c", Image: "image"}
	at := now
	for i, want := range []time.Duration{0, 10, 20, 40, 80, 160, 300, 300} {
		want *= time.Second
		delay, left := b.left(c, at, at)
		if delay != want || left != want {
			t.Errorf("restart %d: delay %s, left %s, want %s", i, delay, left, want)
		}
		if _, left := b.left(c, at, at.Add(want)); left != 0 {
			t.Errorf("restart %d: %s left after the delay", i, left)
		}
		b.started(c, at, at.Add(want))
		at = at.Add(want + time.Second)
	}
	if delay, _ := b.left(c, at.Add(11*time.Minute), at.Add(11*time.Minute)); delay != 0 {
		t.Errorf("after a long run the delay is %s", delay)
	}
	if delay, left := b.left(c, at.Add(time.Minute), at); delay != 300*time.Second || left != delay {
		t.Errorf("after an end in the future, as the clock went back, %s of %s are left", left, delay)
	}
	changed := &corev1.Container{Name: "c", Image: "other"}
	if delay, _ := b.left(changed, at, at); delay != 0 {
		t.Errorf("a new image inherits %s", delay)
	}
}

func TestADelayedRestartIsShown(t *testing.T) {
	pod := spec(corev1.RestartPolicyAlways, "m")
	f := facts{pod: pod, runtime: held("sandbox=ready m=1"), now: now, backoff: &backoffs{}, startup: func(string) *bool { return nil }, liveness: func(string) *bool { return nil }}
	f.backoff.started(&pod.Spec.Containers[0], now.Add(-10*time.Second), now.Add(-2*time.Second))
	p := decide(f)
	if got := told(p); got != "" {
		t.Errorf("planned %q", got)
	}
	if p.waiting["m"].Reason != "CrashLoopBackOff" || p.wake != 9*time.Second {
		t.Errorf("got %+v, wake %s", p.waiting, p.wake)
	}
}

func TestWhatProbesEndAgainAndAgainIsHeldBack(t *testing.T) {
	pod := spec(corev1.RestartPolicyAlways, "m")
	dead := func(string) *bool { return ptr.To(false) }
	f := facts{pod: pod, runtime: held("sandbox=ready m=running m=137"), now: now, backoff: &backoffs{}, startup: func(string) *bool { return nil }, liveness: dead}
	if got := told(decide(f)); got != "stop:m start:m/1" {
		t.Errorf("the first time: planned %q", got)
	}
	f.backoff.started(&pod.Spec.Containers[0], now.Add(-20*time.Second), now.Add(-8*time.Second))
	p := decide(f)
	if got := told(p); got != "stop:m" {
		t.Errorf("planned %q", got)
	}
	if p.waiting["m"].Reason != "CrashLoopBackOff" || p.wake != 9*time.Second {
		t.Errorf("got %+v, wake %s", p.waiting, p.wake)
	}
}

func TestSidecarThatStartedBeforeThisProcessLetsMainContainersStartAgain(t *testing.T) {
	onNode(t, func(n *testNode) {
		pod := spec(corev1.RestartPolicyAlways, "s m")
		n.probes.started = ptr.To(true)
		n.add(pod)
		n.wantStates(pod, "s=running m=running")
		pod.Status = n.Status.Latest(pod)

		n.stop()

		// Another process: its probes have found nothing yet.
		n.probes.started = nil
		again := newTestNode(n.T, n.dir, []*corev1.Pod{pod}, func(c *Config) { c.Runtime, c.Probes = n.runtime, n.probes })
		defer again.stop()
		again.runtime = n.runtime
		again.ends(pod, "m", 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		again.wantStates(pod, "s=running m=running")
		if n.runtime.instances("m") < 2 {
			t.Error("the main container was not started again")
		}
	})
}
