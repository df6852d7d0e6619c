// Package status says what a Pod's status is, given what the runtime and the probes report of it, and writes that
// to the API whenever it differs from what the API holds.
package status

import (
	"net"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// Probes is what the probes of one container found. A container that has no probe of a kind has nil there.
type Probes struct {
	Started, Ready *bool
}

// Waiting says why a container that should run does not.
type Waiting struct {
	Reason, Message string
}

// Verdict ends a Pod for a reason that does not lie in its containers: rejected, evicted, or over its deadline.
type Verdict struct {
	Reason, Message string
	// Warning says that the node, not the Pod's own specification, brought this about.
	Warning bool
	// Immediate leaves the containers no time but the least.
	Immediate bool
	// Conditions are added to the Pod's own, such as DisruptionTarget.
	Conditions []corev1.PodCondition
}

// Input is all that a Pod's status follows from.
type Input struct {
	Pod *corev1.Pod
	// Old is the latest known status: what was rendered last, or what the API holds.
	Old     corev1.PodStatus
	Runtime *runtime.Pod
	// RuntimeName is the scheme of container IDs.
	RuntimeName string
	// Probes returns what is known of a container instance.
	Probes func(containerID string) Probes
	// Waiting is why containers, by name, could not be started.
	Waiting map[string]Waiting
	// Actuated is the resources that running containers were last given, by name.
	Actuated map[string]corev1.ResourceRequirements
	// RecursiveReadOnly tells whether the runtime can make a mount and all below it read-only.
	RecursiveReadOnly bool
	HostIPs           []string
	// QOS is the Pod's quality-of-service class.
	QOS corev1.PodQOSClass
	// Finishing says that no container will be started again; Done, that none runs.
	Finishing, Done bool
	Verdict         *Verdict
	// RestartsAll says that all containers are taken away to be started again, or have just been.
	RestartsAll bool
	// Resize holds the conditions of a resize under way.
	Resize []corev1.PodCondition
	Now    time.Time
}

// Render returns the status that follows from the input. It changes nothing that the input refers to.
func Render(in Input) corev1.PodStatus {
	out := corev1.PodStatus{
		ObservedGeneration: max(in.Pod.Generation, in.Old.ObservedGeneration),
		QOSClass:           in.QOS,
		StartTime:          in.Old.StartTime,
	}
	if out.StartTime == nil {
		out.StartTime = &metav1.Time{Time: in.Now.Truncate(time.Second)}
	}
	addresses(in, &out)
	hasInit := len(in.Pod.Spec.InitContainers) > 0
	out.InitContainerStatuses = containerStatuses(in, in.Pod.Spec.InitContainers, in.Old.InitContainerStatuses, hasInit, true)
	out.ContainerStatuses = containerStatuses(in, in.Pod.Spec.Containers, in.Old.ContainerStatuses, hasInit, false)
	out.EphemeralContainerStatuses = containerStatuses(in, ephemeral(in.Pod), in.Old.EphemeralContainerStatuses, hasInit, false)
	for i := range out.EphemeralContainerStatuses {
		// Nobody waits for these.
		out.EphemeralContainerStatuses[i].Ready, out.EphemeralContainerStatuses[i].Started = false, nil
	}
	limitMessages(&out)

	out.Phase = nextPhase(in, &out)
	out.Conditions = conditions(in, &out)
	// Whoever sees a terminal phase may take the Pod's resources as free: not before nothing runs.
	if terminal(out.Phase) && !terminal(in.Old.Phase) && !terminal(in.Pod.Status.Phase) && !in.Done {
		out.Phase, out.Reason, out.Message = in.Old.Phase, in.Old.Reason, in.Old.Message
		if out.Phase == "" {
			out.Phase = corev1.PodPending
		}
	}
	return out
}

func terminal(p corev1.PodPhase) bool {
	return p == corev1.PodFailed || p == corev1.PodSucceeded
}

func nextPhase(in Input, out *corev1.PodStatus) corev1.PodPhase {
	next := phase(in, slices.Concat(out.ContainerStatuses, out.InitContainerStatuses))
	if in.Verdict != nil {
		next, out.Reason, out.Message = corev1.PodFailed, in.Verdict.Reason, in.Verdict.Message
	}
	for _, before := range []corev1.PodPhase{in.Pod.Status.Phase, in.Old.Phase} {
		if terminal(before) {
			next = before // nothing leaves a terminal phase
			break
		}
	}
	if in.Done && in.Finishing && !terminal(next) {
		// Some containers never ran: the Pod did not succeed.
		next = corev1.PodFailed
	}
	if in.Verdict == nil && next == in.Old.Phase {
		out.Reason, out.Message = in.Old.Reason, in.Old.Message
	}
	return next
}

func ephemeral(pod *corev1.Pod) []corev1.Container {
	containers := make([]corev1.Container, 0, len(pod.Spec.EphemeralContainers))
	for i := range pod.Spec.EphemeralContainers {
		containers = append(containers, corev1.Container(pod.Spec.EphemeralContainers[i].EphemeralContainerCommon))
	}
	return containers
}

func addresses(in Input, out *corev1.PodStatus) {
	for _, ip := range in.HostIPs {
		out.HostIPs = append(out.HostIPs, corev1.HostIP{IP: ip})
	}
	if len(out.HostIPs) > 0 {
		out.HostIP = out.HostIPs[0].IP
	}
	ips := sameFamilyFirst(in.Runtime.IPs(), out.HostIP)
	switch {
	case in.Pod.Spec.HostNetwork:
		ips = in.HostIPs
	case len(ips) == 0 && in.Finishing:
		// A Pod keeps its last address to its end.
		for _, ip := range in.Old.PodIPs {
			ips = append(ips, ip.IP)
		}
	}
	for _, ip := range ips {
		out.PodIPs = append(out.PodIPs, corev1.PodIP{IP: ip})
	}
	if len(ips) > 0 {
		out.PodIP = ips[0]
	}
}

// sameFamilyFirst orders a Pod's addresses as its node's.
func sameFamilyFirst(ips []string, hostIP string) []string {
	if len(ips) < 2 || hostIP == "" {
		return ips
	}
	isV4 := func(ip string) bool { return net.ParseIP(ip).To4() != nil }
	if isV4(ips[0]) != isV4(hostIP) {
		ips = slices.Clone(ips)
		slices.Reverse(ips)
	}
	return ips
}

// limitMessages keeps the termination messages of a Pod within 12 KiB altogether.
func limitMessages(out *corev1.PodStatus) {
	const whole = 12 * 1024
	all := []*[]corev1.ContainerStatus{&out.InitContainerStatuses, &out.ContainerStatuses, &out.EphemeralContainerStatuses}
	count := 0
	for _, list := range all {
		count += len(*list)
	}
	if count == 0 {
		return
	}
	limit := whole / count
	for _, list := range all {
		for i := range *list {
			for _, state := range []*corev1.ContainerState{&(*list)[i].State, &(*list)[i].LastTerminationState} {
				if t := state.Terminated; t != nil && len(t.Message) > limit {
					// The pointer may be shared with an older status.
					short := *t
					short.Message = short.Message[:limit]
					state.Terminated = &short
				}
			}
		}
	}
}
