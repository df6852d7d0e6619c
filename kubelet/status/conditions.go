package status

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/apis/core"
)

// owned are the condition types that only the kubelet writes.
var owned = []corev1.PodConditionType{
	corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady,
	corev1.PodScheduled, corev1.AllContainersRestarting, corev1.PodResizePending, corev1.PodResizeInProgress,
}

// conditions returns the kubelet's conditions, with times of transition.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions
func conditions(in Input, out *corev1.PodStatus) []corev1.PodCondition {
	ready := containersReady(in, out)
	list := slices.Concat(in.Resize, []corev1.PodCondition{
		readyToStart(in), initialized(in, out), podReady(in, ready), ready,
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue},
	})
	if core.MayRestartAll(&in.Pod.Spec) {
		list = append(list, restartingCondition(in, out))
	}
	if in.Verdict != nil && in.Done {
		list = append(list, in.Verdict.Conditions...)
	}
	for i := range list {
		c := &list[i]
		if c.ObservedGeneration == 0 {
			c.ObservedGeneration = in.Pod.Generation
		}
		c.LastTransitionTime = metav1.Time{Time: in.Now}.Rfc3339Copy()
		for _, old := range in.Old.Conditions {
			if old.Type == c.Type && old.Status == c.Status && !old.LastTransitionTime.IsZero() {
				c.LastTransitionTime = old.LastTransitionTime
			}
		}
	}
	return list
}

func readyToStart(in Input) corev1.PodCondition {
	c := corev1.PodCondition{Type: corev1.PodReadyToStartContainers, Status: corev1.ConditionTrue}
	if needed, _ := in.Runtime.NeedsSandbox(in.Pod); needed {
		c.Status = corev1.ConditionFalse
	}
	return c
}

// restartingCondition says whether containers are being taken away so that all start again.
func restartingCondition(in Input, out *corev1.PodStatus) corev1.PodCondition {
	c := corev1.PodCondition{Type: corev1.AllContainersRestarting, Status: corev1.ConditionFalse}
	switch {
	case out.Phase == corev1.PodSucceeded:
		c.Reason = "PodCompleted"
	case out.Phase == corev1.PodFailed:
		c.Reason = "PodFailed"
	case in.RestartsAll && anyInstance(in):
		c.Status, c.Reason, c.Message = corev1.ConditionTrue, "RestartAllContainersStarted", "container exited with restart policy rule"
	}
	return c
}

// anyInstance tells whether the runtime has anything yet of the containers that are started again: not of ephemeral ones, which nobody starts.
func anyInstance(in Input) bool {
	for _, list := range [][]corev1.Container{in.Pod.Spec.InitContainers, in.Pod.Spec.Containers} {
		for i := range list {
			if in.Runtime.Container(list[i].Name) != nil {
				return true
			}
		}
	}
	return false
}

func initialized(in Input, out *corev1.PodStatus) corev1.PodCondition {
	c := corev1.PodCondition{Type: corev1.PodInitialized, Status: corev1.ConditionTrue}
	var unknown, incomplete []string
	for i := range in.Pod.Spec.InitContainers {
		spec := &in.Pod.Spec.InitContainers[i]
		s := find(out.InitContainerStatuses, spec.Name)
		switch {
		case s == nil:
			unknown = append(unknown, spec.Name)
		case core.IsSidecar(spec):
			if s.Started == nil || !*s.Started {
				incomplete = append(incomplete, spec.Name)
			}
		case !s.Ready:
			incomplete = append(incomplete, spec.Name)
		}
	}
	if out.Phase == corev1.PodSucceeded && len(unknown) == 0 {
		c.Reason = "PodCompleted"
		return c
	}
	if anyMainStarted(in.Pod, out) || len(unknown)+len(incomplete) == 0 {
		return c
	}
	if core.MayRestartAll(&in.Pod.Spec) && slices.ContainsFunc(in.Old.Conditions, func(o corev1.PodCondition) bool {
		return o.Type == corev1.PodInitialized && o.Status == corev1.ConditionTrue
	}) {
		return c // once it was, it stays so
	}
	c.Status, c.Reason = corev1.ConditionFalse, "ContainersNotInitialized"
	c.Message = listed("unknown", unknown, "incomplete", incomplete)
	return c
}

func anyMainStarted(pod *corev1.Pod, out *corev1.PodStatus) bool {
	for i := range pod.Spec.Containers {
		s := find(out.ContainerStatuses, pod.Spec.Containers[i].Name)
		if s == nil {
			continue
		}
		if s.LastTerminationState.Terminated != nil || s.State.Running != nil || s.State.Terminated != nil {
			return true
		}
	}
	return false
}

func containersReady(in Input, out *corev1.PodStatus) corev1.PodCondition {
	c := corev1.PodCondition{Type: corev1.ContainersReady, Status: corev1.ConditionFalse}
	var unknown, unready []string
	check := func(name string, statuses []corev1.ContainerStatus) {
		switch s := find(statuses, name); {
		case s == nil:
			unknown = append(unknown, name)
		case !s.Ready:
			unready = append(unready, name)
		}
	}
	for i := range in.Pod.Spec.InitContainers {
		if core.IsSidecar(&in.Pod.Spec.InitContainers[i]) {
			check(in.Pod.Spec.InitContainers[i].Name, out.InitContainerStatuses)
		}
	}
	for i := range in.Pod.Spec.Containers {
		check(in.Pod.Spec.Containers[i].Name, out.ContainerStatuses)
	}
	switch {
	case out.Phase == corev1.PodSucceeded && len(unknown) == 0:
		c.Reason = "PodCompleted"
	case out.Phase == corev1.PodFailed:
		c.Reason = "PodFailed"
	case len(unknown)+len(unready) > 0:
		c.Reason, c.Message = "ContainersNotReady", listed("unknown", unknown, "unready", unready)
	default:
		c.Status = corev1.ConditionTrue
	}
	return c
}

func podReady(in Input, containers corev1.PodCondition) corev1.PodCondition {
	c := containers
	c.Type = corev1.PodReady
	if c.Status != corev1.ConditionTrue {
		return c
	}
	var missing []string
	for _, gate := range in.Pod.Spec.ReadinessGates {
		i := slices.IndexFunc(in.Pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == gate.ConditionType })
		switch {
		case i < 0:
			missing = append(missing, fmt.Sprintf("corresponding condition of pod readiness gate %q does not exist.", gate.ConditionType))
		case in.Pod.Status.Conditions[i].Status != corev1.ConditionTrue:
			missing = append(missing, fmt.Sprintf("the status of pod readiness gate %q is not \"True\", but %v",
				gate.ConditionType, in.Pod.Status.Conditions[i].Status))
		}
	}
	if len(missing) > 0 {
		c.Status, c.Reason, c.Message = corev1.ConditionFalse, "ReadinessGatesNotReady", strings.Join(missing, ", ")
	}
	return c
}

func listed(firstName string, first []string, secondName string, second []string) string {
	var parts []string
	if len(first) > 0 {
		parts = append(parts, fmt.Sprintf("containers with %s status: %s", firstName, first))
	}
	if len(second) > 0 {
		parts = append(parts, fmt.Sprintf("containers with %s status: %s", secondName, second))
	}
	return strings.Join(parts, ", ")
}
