package status

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// tally counts what state a Pod's containers are in, as far as its phase depends on it.
type tally struct {
	initPending, initFailedForGood, sidecarPending                int
	running, waiting, unknown, stopped, stoppedForGood, succeeded int
}

// phase is the Pod's phase by its containers alone.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase
func phase(in Input, statuses []corev1.ContainerStatus) corev1.PodPhase {
	var t tally
	for i := range in.Pod.Spec.InitContainers {
		c := &in.Pod.Spec.InitContainers[i]
		if core.IsSidecar(c) {
			t.addSidecar(find(statuses, c.Name))
		} else {
			t.addInit(&in.Pod.Spec, c, find(statuses, c.Name))
		}
	}
	for i := range in.Pod.Spec.Containers {
		c := &in.Pod.Spec.Containers[i]
		t.addMain(&in.Pod.Spec, c, find(statuses, c.Name))
	}
	switch {
	case t.initFailedForGood > 0:
		return corev1.PodFailed
	case t.initPending > 0, t.sidecarPending > 0 && !mainStarted(in), t.waiting > 0:
		return corev1.PodPending
	case t.running > 0 && t.unknown == 0:
		return corev1.PodRunning
	case t.running > 0 || t.stopped == 0 || t.unknown > 0:
		return corev1.PodPending
	case !in.Finishing && t.stopped != t.stoppedForGood:
		return corev1.PodRunning // some are about to be restarted
	case t.stopped == t.succeeded:
		return corev1.PodSucceeded
	}
	return corev1.PodFailed
}

func find(statuses []corev1.ContainerStatus, name string) *corev1.ContainerStatus {
	for i := range statuses {
		if statuses[i].Name == name {
			return &statuses[i]
		}
	}
	return nil
}

// lastEnd returns how a container that does not run ended, nil where it never ran.
func lastEnd(s *corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	if s.State.Terminated != nil {
		return s.State.Terminated
	}
	if s.State.Waiting != nil {
		return s.LastTerminationState.Terminated
	}
	return nil
}

func restarts(spec *corev1.PodSpec, c *corev1.Container, end *corev1.ContainerStateTerminated) bool {
	return end.Reason == restartingAll || runtime.RestartsAfter(spec, c, end.ExitCode)
}

func (t *tally) addInit(spec *corev1.PodSpec, c *corev1.Container, s *corev1.ContainerStatus) {
	if s == nil || s.State.Running != nil || lastEnd(s) == nil {
		t.initPending++
		return
	}
	end := lastEnd(s)
	if end.ExitCode != 0 && !restarts(spec, c, end) {
		t.initFailedForGood++
	}
	if s.State.Waiting != nil || end.ExitCode != 0 {
		t.initPending++
	}
}

func (t *tally) addSidecar(s *corev1.ContainerStatus) {
	switch {
	case s == nil:
		t.unknown++
	case s.State.Running != nil:
		if s.Started == nil || !*s.Started {
			t.sidecarPending++
		}
		t.running++
	case lastEnd(s) != nil: // an ended sidecar has no say
	case s.State.Waiting != nil:
		t.sidecarPending++
		t.waiting++
	default:
		t.sidecarPending++
		t.unknown++
	}
}

func (t *tally) addMain(spec *corev1.PodSpec, c *corev1.Container, s *corev1.ContainerStatus) {
	switch {
	case s == nil:
		t.unknown++
	case s.State.Running != nil:
		t.running++
	case lastEnd(s) != nil:
		end := lastEnd(s)
		t.stopped++
		if !restarts(spec, c, end) {
			t.stoppedForGood++
		}
		// One that waits for its next start has not succeeded, however it ended before.
		if s.State.Terminated != nil && end.ExitCode == 0 {
			t.succeeded++
		}
	case s.State.Waiting != nil:
		t.waiting++
	default:
		t.unknown++
	}
}

func mainStarted(in Input) bool {
	for i := range in.Pod.Spec.Containers {
		if c := in.Runtime.Container(in.Pod.Spec.Containers[i].Name); c != nil && (c.State == runtime.Running || c.State == runtime.Exited) {
			return true
		}
	}
	return false
}
