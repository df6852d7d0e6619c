package status

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func podOf(policy corev1.RestartPolicy, names ...string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", UID: "u", Generation: 3}, Spec: corev1.PodSpec{RestartPolicy: policy}}
	for _, name := range names {
		c := corev1.Container{Name: name, Image: "image"}
		switch name[0] {
		case 's':
			c.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
			pod.Spec.InitContainers = append(pod.Spec.InitContainers, c)
		case 'i':
			pod.Spec.InitContainers = append(pod.Spec.InitContainers, c)
		default:
			pod.Spec.Containers = append(pod.Spec.Containers, c)
		}
	}
	return pod
}

func instance(name string, state runtime.State, exit int32) *runtime.Container {
	return &runtime.Container{ID: name + "-id", Name: name, State: state, ExitCode: exit, SandboxID: "sb", StartedAt: now, FinishedAt: now, Reason: "Completed"}
}

func held(containers ...*runtime.Container) *runtime.Pod {
	return &runtime.Pod{Sandboxes: []*runtime.Sandbox{{ID: "sb", Ready: true, IPs: []string{"10.0.0.1"}}}, Containers: containers}
}

func TestPhase(t *testing.T) {
	running := func(n string) *runtime.Container { return instance(n, runtime.Running, 0) }
	ended := func(n string, exit int32) *runtime.Container { return instance(n, runtime.Exited, exit) }
	always, onFailure, never := corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever
	tests := []struct {
		name      string
		pod       *corev1.Pod
		held      *runtime.Pod
		finishing bool
		want      corev1.PodPhase
	}{
		{"nothing yet", podOf(always, "m"), held(), false, corev1.PodPending},
		{"all run", podOf(always, "m", "n"), held(running("m"), running("n")), false, corev1.PodRunning},
		{"one is still to come", podOf(always, "m", "n"), held(running("m")), false, corev1.PodPending},
		{"one has ended", podOf(never, "m", "n"), held(running("m"), ended("n", 0)), false, corev1.PodRunning},
		{"all ended well", podOf(never, "m", "n"), held(ended("m", 0), ended("n", 0)), false, corev1.PodSucceeded},
		{"one ended badly", podOf(never, "m", "n"), held(ended("m", 0), ended("n", 1)), false, corev1.PodFailed},
		{"ended but to be restarted", podOf(always, "m"), held(ended("m", 0)), false, corev1.PodRunning},
		{"failed but to be restarted", podOf(onFailure, "m"), held(ended("m", 1)), false, corev1.PodRunning},
		{"succeeded on failure", podOf(onFailure, "m"), held(ended("m", 0)), false, corev1.PodSucceeded},
		{"stopped for good", podOf(always, "m"), held(ended("m", 0)), true, corev1.PodSucceeded},
		{"killed for good", podOf(always, "m"), held(ended("m", 137)), true, corev1.PodFailed},
		{"initializing", podOf(always, "i", "m"), held(running("i")), false, corev1.PodPending},
		{"initialization failed for good", podOf(never, "i", "m"), held(ended("i", 1)), false, corev1.PodFailed},
		{"initialization is tried again", podOf(always, "i", "m"), held(ended("i", 1)), false, corev1.PodPending},
		{"a sidecar alone does not run a pod", podOf(never, "s", "m"), held(running("s"), ended("m", 0)), false, corev1.PodRunning},
		{"sidecars do not count at the end", podOf(never, "s", "m"), held(ended("s", 1), ended("m", 0)), false, corev1.PodSucceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Render(Input{Pod: tt.pod, Runtime: tt.held, Now: now, Done: true, Finishing: tt.finishing, RuntimeName: "r"})
			if got.Phase != tt.want {
				t.Errorf("got %s, want %s", got.Phase, tt.want)
			}
		})
	}
}

func TestATerminalPhaseWaitsUntilNothingRuns(t *testing.T) {
	in := Input{Pod: podOf(corev1.RestartPolicyNever, "m"), Runtime: held(instance("m", runtime.Exited, 1)), Now: now}
	in.Old.Phase = corev1.PodRunning
	got := Render(in)
	if got.Phase != corev1.PodRunning {
		t.Errorf("phase %s while the sandbox is up", got.Phase)
	}
	if c := condition(got, corev1.PodReady); c.Reason != "PodFailed" {
		t.Errorf("ready condition %+v", c)
	}
	in.Done, in.Old = true, got
	if got := Render(in); got.Phase != corev1.PodFailed {
		t.Errorf("phase %s when all is done", got.Phase)
	}
}

func TestNothingLeavesATerminalPhase(t *testing.T) {
	in := Input{Pod: podOf(corev1.RestartPolicyAlways, "m"), Runtime: held(instance("m", runtime.Running, 0)), Now: now}
	in.Pod.Status.Phase = corev1.PodFailed
	if got := Render(in); got.Phase != corev1.PodFailed {
		t.Errorf("got %s", got.Phase)
	}
}

func condition(s corev1.PodStatus, kind corev1.PodConditionType) corev1.PodCondition {
	for _, c := range s.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return corev1.PodCondition{}
}

func TestConditions(t *testing.T) {
	pod := podOf(corev1.RestartPolicyAlways, "m")
	pod.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "gate"}}
	in := Input{Pod: pod, Runtime: held(instance("m", runtime.Running, 0)), Now: now, RuntimeName: "r"}
	got := Render(in)
	if c := condition(got, corev1.ContainersReady); c.Status != corev1.ConditionTrue || c.ObservedGeneration != 3 {
		t.Errorf("containers: %+v", c)
	}
	if c := condition(got, corev1.PodReady); c.Status != corev1.ConditionFalse || c.Reason != "ReadinessGatesNotReady" {
		t.Errorf("ready: %+v", c)
	}
	pod.Status.Conditions = []corev1.PodCondition{{Type: "gate", Status: corev1.ConditionTrue}}
	in.Old, in.Now = got, now.Add(time.Minute)
	got = Render(in)
	if c := condition(got, corev1.PodReady); c.Status != corev1.ConditionTrue || !c.LastTransitionTime.Time.Equal(in.Now) {
		t.Errorf("ready: %+v", c)
	}
	if c := condition(got, corev1.ContainersReady); !c.LastTransitionTime.Time.Equal(now) {
		t.Errorf("an unchanged condition moved: %+v", c)
	}
	in.Runtime.Sandboxes[0].Ready = false
	if c := condition(Render(in), corev1.PodReadyToStartContainers); c.Status != corev1.ConditionFalse {
		t.Errorf("sandbox: %+v", c)
	}
}

func TestProbesDecideAboutReadiness(t *testing.T) {
	pod := podOf(corev1.RestartPolicyAlways, "m")
	pod.Spec.Containers[0].ReadinessProbe, pod.Spec.Containers[0].StartupProbe = &corev1.Probe{}, &corev1.Probe{}
	yes, no := ptr.To(true), ptr.To(false)
	old := corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "m", ContainerID: "r://m-id", Ready: true, Started: yes}}}
	for _, tt := range []struct {
		name           string
		found          Probes
		old            corev1.PodStatus
		started, ready bool
	}{
		{"nothing known", Probes{}, corev1.PodStatus{}, false, false},
		{"as before a restart of ours", Probes{}, old, true, true},
		{"started", Probes{Started: yes}, corev1.PodStatus{}, true, false},
		{"ready", Probes{Started: yes, Ready: yes}, corev1.PodStatus{}, true, true},
		{"not any more", Probes{Started: yes, Ready: no}, old, true, false},
		{"ready before it started", Probes{Started: no, Ready: yes}, old, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := Render(Input{Pod: pod, Old: tt.old, Runtime: held(instance("m", runtime.Running, 0)), Now: now, RuntimeName: "r",
				Probes: func(string) Probes { return tt.found }}).ContainerStatuses[0]
			if *s.Started != tt.started || s.Ready != tt.ready {
				t.Errorf("started %v ready %v", *s.Started, s.Ready)
			}
		})
	}
}

func TestEphemeralContainersAreNeverReady(t *testing.T) {
	pod := podOf(corev1.RestartPolicyAlways, "m")
	pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "e"}}}
	out := Render(Input{Pod: pod, Runtime: held(instance("m", runtime.Running, 0), instance("e", runtime.Running, 0)), Now: now})
	if e := out.EphemeralContainerStatuses[0]; e.State.Running == nil || e.Ready || e.Started != nil {
		t.Errorf("got %+v", e)
	}
	if m := out.ContainerStatuses[0]; !m.Ready || !*m.Started {
		t.Errorf("got %+v", m)
	}
}

func TestWaitingContainersSayWhy(t *testing.T) {
	in := Input{
		Pod: podOf(corev1.RestartPolicyAlways, "m"), Runtime: held(instance("m", runtime.Exited, 2)), Now: now, RuntimeName: "r",
		Waiting: map[string]Waiting{"m": {Reason: "CrashLoopBackOff", Message: "later"}},
	}
	s := Render(in).ContainerStatuses[0]
	if s.State.Waiting == nil || s.State.Waiting.Reason != "CrashLoopBackOff" || s.LastTerminationState.Terminated.ExitCode != 2 {
		t.Errorf("got %+v", s)
	}
	in.Runtime.Containers = []*runtime.Container{instance("m", runtime.Running, 0), instance("m", runtime.Exited, 2)}
	s = Render(in).ContainerStatuses[0]
	if s.State.Running == nil || s.LastTerminationState.Terminated == nil {
		t.Errorf("got %+v", s)
	}
}

func TestALostContainerCountsAsKilled(t *testing.T) {
	in := Input{Pod: podOf(corev1.RestartPolicyAlways, "m"), Runtime: held(), Now: now}
	in.Old.ContainerStatuses = []corev1.ContainerStatus{{Name: "m", RestartCount: 1, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
	s := Render(in).ContainerStatuses[0]
	if s.RestartCount != 2 || s.LastTerminationState.Terminated == nil || s.LastTerminationState.Terminated.ExitCode != 137 {
		t.Errorf("got %+v", s)
	}
}

func TestMessagesAreLimited(t *testing.T) {
	long := instance("m", runtime.Exited, 1)
	long.Message = strings.Repeat("x", 20000)
	got := Render(Input{Pod: podOf(corev1.RestartPolicyNever, "m"), Runtime: held(long), Now: now, Done: true})
	if n := len(got.ContainerStatuses[0].State.Terminated.Message); n != 12*1024 {
		t.Errorf("got %d bytes", n)
	}
}

func TestWhatIsCreatedShowsWhatItShowedBefore(t *testing.T) {
	reason := func(s corev1.ContainerStatus) string { return s.State.Waiting.Reason }
	in := Input{Pod: podOf(corev1.RestartPolicyNever, "i", "m"), Runtime: held(), Now: now}
	before := Render(in)
	in.Runtime = held(instance("i", runtime.Created, 0))
	after := Render(in)
	if got := reason(after.InitContainerStatuses[0]); got != "PodInitializing" || got != reason(before.InitContainerStatuses[0]) {
		t.Errorf("an init container that is created shows %s", got)
	}
	in = Input{Pod: podOf(corev1.RestartPolicyNever, "m"), Runtime: held(instance("m", runtime.Created, 0)), Now: now}
	if got := reason(Render(in).ContainerStatuses[0]); got != "ContainerCreating" {
		t.Errorf("a container that is created shows %s", got)
	}
}
