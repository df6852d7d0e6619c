package core

import (
	"cmp"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/resource"
)

func podColumns() []resource.Column[*pod] {
	spec, status := corev1.PodSpec{}.SwaggerDoc(), corev1.PodStatus{}.SwaggerDoc()
	return []resource.Column[*pod]{
		{Name: "Ready", Description: "The aggregate readiness state of this pod for accepting traffic.", Cell: func(p *pod) any {
			s := summarize(p)
			return fmt.Sprintf("%d/%d", s.ready, s.total)
		}},
		{Name: "Status", Description: "The aggregate status of the containers in this pod.", Cell: func(p *pod) any { return summarize(p).reason }},
		{Name: "Restarts", Description: "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.",
			Cell: func(p *pod) any { return summarize(p).restarted() }},
		{Name: "IP", Priority: 1, Description: status["podIP"], Cell: func(p *pod) any { return cmp.Or(p.Status.PodIP, "<none>") }},
		{Name: "Node", Priority: 1, Description: spec["nodeName"], Cell: func(p *pod) any { return cmp.Or(p.Spec.NodeName, "<none>") }},
		{Name: "Nominated Node", Priority: 1, Description: status["nominatedNodeName"], Cell: func(p *pod) any { return cmp.Or(p.Status.NominatedNodeName, "<none>") }},
		{Name: "Readiness Gates", Priority: 1, Description: spec["readinessGates"], Cell: readinessGates},
	}
}

func readinessGates(p *pod) any {
	if len(p.Spec.ReadinessGates) == 0 {
		return "<none>"
	}
	open := 0
	for _, g := range p.Spec.ReadinessGates {
		if c := core.PodCondition(p, g.ConditionType); c != nil && c.Status == corev1.ConditionTrue {
			open++
		}
	}
	return fmt.Sprintf("%d/%d", open, len(p.Spec.ReadinessGates))
}

func podRowConditions(p *pod) []metav1.TableRowCondition {
	var message string
	switch p.Status.Phase {
	case corev1.PodSucceeded:
		message = "The pod has completed successfully."
	case corev1.PodFailed:
		message = "The pod failed."
	default:
		return nil
	}
	return []metav1.TableRowCondition{{Type: metav1.RowCompleted, Status: metav1.ConditionTrue, Reason: string(p.Status.Phase), Message: message}}
}

// A podSummary is what one line of a table can say of all containers of a pod.
type podSummary struct {
	ready, total int
	reason       string
	restarts     int32
	restartedAt  metav1.Time
}

func (s podSummary) restarted() string {
	n := strconv.Itoa(int(s.restarts))
	if s.restarts == 0 || s.restartedAt.IsZero() {
		return n
	}
	return n + " (" + resource.Age(s.restartedAt.Time) + " ago)"
}

func (s *podSummary) countRestarts(c *corev1.ContainerStatus) {
	s.restarts += c.RestartCount
	if t := c.LastTerminationState.Terminated; t != nil && s.restartedAt.Before(&t.FinishedAt) {
		s.restartedAt = t.FinishedAt
	}
}

// summarize says the most telling thing about the pod: why it does not start, what its containers do, that it ends.
func summarize(p *pod) podSummary {
	s := podSummary{total: len(p.Spec.Containers), reason: cmp.Or(p.Status.Reason, string(p.Status.Phase))}
	if c := core.PodCondition(p, corev1.PodScheduled); c != nil && c.Reason == corev1.PodReasonSchedulingGated {
		s.reason = corev1.PodReasonSchedulingGated
	}
	sidecars := map[string]bool{}
	for i := range p.Spec.InitContainers {
		if c := &p.Spec.InitContainers[i]; core.IsSidecar(c) {
			sidecars[c.Name] = true
			s.total++
		}
	}
	if initialized := s.addInit(p, sidecars); initialized || isTrue(core.PodCondition(p, corev1.PodInitialized)) {
		s.addMain(p, sidecars)
	}
	if p.DeletionTimestamp != nil {
		switch {
		case p.Status.Reason == "NodeLost":
			s.reason = "Unknown"
		case !core.PodTerminal(p):
			s.reason = "Terminating"
		}
	}
	return s
}

// addInit reports whether no init container is left that has to end, or start, first.
func (s *podSummary) addInit(p *pod, sidecars map[string]bool) bool {
	for i := range p.Status.InitContainerStatuses {
		c := &p.Status.InitContainerStatuses[i]
		s.countRestarts(c)
		switch ended := c.State.Terminated; {
		case ended != nil && ended.ExitCode == 0:
			continue
		case sidecars[c.Name] && c.Started != nil && *c.Started:
			if c.Ready {
				s.ready++
			}
			continue
		case ended != nil:
			s.reason = "Init:" + endReason(ended)
		case c.State.Waiting != nil && c.State.Waiting.Reason != "" && c.State.Waiting.Reason != "PodInitializing":
			s.reason = "Init:" + c.State.Waiting.Reason
		default:
			s.reason = fmt.Sprintf("Init:%d/%d", i, len(p.Spec.InitContainers))
		}
		return false
	}
	return true
}

func (s *podSummary) addMain(p *pod, sidecars map[string]bool) {
	s.restarts, s.restartedAt = 0, metav1.Time{} // those of init containers no longer matter
	for i := range p.Status.InitContainerStatuses {
		if c := &p.Status.InitContainerStatuses[i]; sidecars[c.Name] {
			s.countRestarts(c)
		}
	}
	running, failure := false, ""
	for i := len(p.Status.ContainerStatuses) - 1; i >= 0; i-- {
		c := &p.Status.ContainerStatuses[i]
		s.countRestarts(c)
		switch {
		case c.State.Waiting != nil && c.State.Waiting.Reason != "":
			s.reason = c.State.Waiting.Reason
		case c.State.Terminated != nil:
			if s.reason = endReason(c.State.Terminated); c.State.Terminated.ExitCode != 0 {
				failure = s.reason
			}
		case c.Ready && c.State.Running != nil:
			running = true
			s.ready++
		}
	}
	if s.reason != "Completed" {
		return
	}
	switch {
	case running && core.PodReady(p):
		s.reason = "Running"
	case failure != "":
		s.reason = failure
	case running:
		s.reason = "NotReady"
	}
}

func endReason(t *corev1.ContainerStateTerminated) string {
	switch {
	case t.Reason != "":
		return t.Reason
	case t.Signal != 0:
		return fmt.Sprintf("Signal:%d", t.Signal)
	}
	return fmt.Sprintf("ExitCode:%d", t.ExitCode)
}

func isTrue(c *corev1.PodCondition) bool { return c != nil && c.Status == corev1.ConditionTrue }
