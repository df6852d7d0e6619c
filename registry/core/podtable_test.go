package core

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func waiting(name, reason string) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}}
}

func running(name string, ready bool) corev1.ContainerStatus {
	started := true
	return corev1.ContainerStatus{Name: name, Ready: ready, Started: &started, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
}

func ended(name string, code int32, reason string) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason}}}
}

func statuses(all ...corev1.ContainerStatus) []corev1.ContainerStatus { return all }

// tablePod has two containers, a and b, and the init containers i and j; k is a sidecar.
func tablePod(phase corev1.PodPhase, init, main []corev1.ContainerStatus) *pod {
	always := corev1.ContainerRestartPolicyAlways
	return &pod{
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{Name: "i"}, {Name: "j"}, {Name: "k", RestartPolicy: &always}},
			Containers:     []corev1.Container{{Name: "a"}, {Name: "b"}},
		},
		Status: corev1.PodStatus{Phase: phase, InitContainerStatuses: init, ContainerStatuses: main},
	}
}

func TestPodStatusColumn(t *testing.T) {
	initDone := statuses(ended("i", 0, "Completed"), ended("j", 0, "Completed"), running("k", true))
	ready := []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	for name, c := range map[string]struct {
		pod    *pod
		change func(*pod)
		ready  int
		reason string
	}{
		"new":        {pod: tablePod("Pending", nil, nil), reason: "Pending"},
		"failed":     {pod: tablePod("Failed", nil, nil), change: func(p *pod) { p.Status.Reason = "Evicted" }, reason: "Evicted"},
		"held back":  {pod: tablePod("Pending", nil, nil), change: gate, reason: "SchedulingGated"},
		"init waits": {pod: tablePod("Pending", statuses(waiting("i", "PodInitializing"), waiting("j", "PodInitializing")), nil), reason: "Init:0/3"},
		"second init": {pod: tablePod("Pending", statuses(ended("i", 0, "Completed"), running("j", false)), nil),
			reason: "Init:1/3"},
		"init cannot start": {pod: tablePod("Pending", statuses(waiting("i", "ImagePullBackOff")), nil), reason: "Init:ImagePullBackOff"},
		"init fails":        {pod: tablePod("Pending", statuses(ended("i", 1, "Error")), nil), reason: "Init:Error"},
		"init fails, no reason": {pod: tablePod("Pending", statuses(ended("i", 3, "")), nil),
			reason: "Init:ExitCode:3"},
		"init is killed": {pod: tablePod("Pending", statuses(corev1.ContainerStatus{Name: "i", State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Signal: 9}}}), nil), reason: "Init:Signal:9"},
		"sidecar starts": {pod: tablePod("Pending", statuses(ended("i", 0, ""), ended("j", 0, ""), waiting("k", "PodInitializing")), nil), reason: "Init:2/3"},
		"runs": {pod: tablePod("Running", initDone, statuses(running("a", true), running("b", true))), change: func(p *pod) { p.Status.Conditions = ready },
			ready: 3, reason: "Running"},
		"one not ready": {pod: tablePod("Running", initDone, statuses(running("a", true), running("b", false))), ready: 2, reason: "Running"},
		"crashes":       {pod: tablePod("Running", initDone, statuses(running("a", true), waiting("b", "CrashLoopBackOff"))), ready: 2, reason: "CrashLoopBackOff"},
		"all end":       {pod: tablePod("Succeeded", initDone, statuses(ended("a", 0, "Completed"), ended("b", 0, "Completed"))), ready: 1, reason: "Completed"},
		"one ends, ready": {pod: tablePod("Running", initDone, statuses(ended("a", 0, "Completed"), running("b", true))), change: func(p *pod) { p.Status.Conditions = ready },
			ready: 2, reason: "Running"},
		"one ends, not ready": {pod: tablePod("Running", initDone, statuses(ended("a", 0, "Completed"), running("b", true))), ready: 2, reason: "NotReady"},
		"the last fails":      {pod: tablePod("Failed", initDone, statuses(ended("a", 0, "Completed"), ended("b", 1, "Error"))), ready: 1, reason: "Error"},
		"goes":                {pod: tablePod("Running", initDone, statuses(running("a", true), running("b", true))), change: deleted, ready: 3, reason: "Terminating"},
		"is gone":             {pod: tablePod("Succeeded", nil, statuses(ended("a", 0, "Completed"))), change: deleted, reason: "Completed"},
		"node is lost": {pod: tablePod("Running", nil, nil), change: func(p *pod) { deleted(p); p.Status.Reason = "NodeLost" },
			reason: "Unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.change != nil {
				c.change(c.pod)
			}
			s := summarize(c.pod)
			if s.reason != c.reason || s.ready != c.ready || s.total != 3 {
				t.Errorf("got %s %d/%d, want %s %d/3", s.reason, s.ready, s.total, c.reason, c.ready)
			}
		})
	}
}

func gate(p *pod) {
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonSchedulingGated}}
}

func deleted(p *pod) { now := metav1.Now(); p.DeletionTimestamp = &now }

func TestRestartsColumn(t *testing.T) {
	restarted := func(s corev1.ContainerStatus, n int32, ago time.Duration) corev1.ContainerStatus {
		s.RestartCount = n
		s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{FinishedAt: metav1.NewTime(time.Now().Add(-ago))}
		return s
	}
	for name, c := range map[string]struct {
		pod  *pod
		want string
	}{
		"none":               {tablePod("Running", nil, statuses(running("a", true))), "0"},
		"of the newest":      {tablePod("Running", nil, statuses(restarted(running("a", true), 2, time.Hour), restarted(running("b", true), 1, 5*time.Minute))), "3 (5m ago)"},
		"of init":            {tablePod("Pending", statuses(restarted(waiting("i", "CrashLoopBackOff"), 4, time.Hour)), nil), "4 (60m ago)"},
		"of init, no longer": {tablePod("Running", statuses(restarted(ended("i", 0, ""), 4, time.Hour), ended("j", 0, ""), restarted(running("k", true), 1, 2*time.Hour)), statuses(running("a", true))), "1 (120m ago)"},
	} {
		if got := summarize(c.pod).restarted(); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestReadinessGates(t *testing.T) {
	p := tablePod("Running", nil, nil)
	if got := readinessGates(p); got != "<none>" {
		t.Errorf("got %v of none", got)
	}
	p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "one"}, {ConditionType: "two"}, {ConditionType: "three"}}
	p.Status.Conditions = []corev1.PodCondition{{Type: "one", Status: corev1.ConditionTrue}, {Type: "two", Status: corev1.ConditionFalse}}
	if got := readinessGates(p); got != "1/3" {
		t.Errorf("got %v, want 1/3", got)
	}
}
