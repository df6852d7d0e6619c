package status

import (
	"cmp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// statusUnknown stands for a container that ran and that the runtime no longer knows.
const statusUnknown = "ContainerStatusUnknown"

// restartingAll stands for a container that was taken away so that all of its Pod's start again.
const (
	restartingAll        = "RestartingAllContainers"
	restartingAllMessage = "The container is removed because RestartAllContainers in place"
)

// containerStatuses returns the statuses of one list of containers, sorted by name; those of init containers in
// the order of the specification.
func containerStatuses(in Input, containers []corev1.Container, old []corev1.ContainerStatus, hasInit, init bool) []corev1.ContainerStatus {
	if len(containers) == 0 {
		return nil
	}
	out := make([]corev1.ContainerStatus, 0, len(containers))
	for i := range containers {
		c := &containers[i]
		s := containerStatus(in, c, find(old, c.Name), hasInit, init)
		probed(in, c, find(old, c.Name), &s, init)
		out = append(out, s)
	}
	if !init {
		slices.SortFunc(out, func(a, b corev1.ContainerStatus) int { return strings.Compare(a.Name, b.Name) })
	}
	return out
}

func containerStatus(in Input, c *corev1.Container, old *corev1.ContainerStatus, hasInit, init bool) corev1.ContainerStatus {
	instances := instancesOf(in.Runtime, c.Name)
	var s corev1.ContainerStatus
	if len(instances) == 0 {
		s = missing(in, c, old, hasInit)
	} else {
		s = present(in, c, instances[0], old, hasInit)
		if len(instances) > 1 {
			s.LastTerminationState = stateOf(in, instances[1], hasInit)
		} else if old != nil {
			s.LastTerminationState = carriedTermination(&s, old)
		}
	}
	var newest *runtime.Container
	if len(instances) > 0 {
		newest = instances[0]
	}
	if init && !core.IsSidecar(c) {
		if newest != nil && newest.State == runtime.Exited && newest.ExitCode == 0 {
			return s
		}
		if newest == nil && s.State.Waiting != nil && mainCreated(in) && !in.RestartsAll {
			s.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				Reason:  "Completed",
				Message: "Unable to get init container status from container runtime and pod has been initialized, treat it as exited normally",
			}}
			return s
		}
	}
	if why, ok := in.Waiting[c.Name]; ok && !in.Finishing && runtime.ShouldStart(in.Pod, c, newest) {
		if s.State.Terminated != nil {
			s.LastTerminationState = s.State
		}
		s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: why.Reason, Message: why.Message}}
	}
	return s
}

// carriedTermination keeps what the API remembers of an instance that the runtime has already removed.
func carriedTermination(s, old *corev1.ContainerStatus) corev1.ContainerState {
	if old.ContainerID != s.ContainerID && old.State.Terminated != nil {
		return old.State
	}
	return old.LastTerminationState
}

func instancesOf(pod *runtime.Pod, name string) []*runtime.Container {
	var list []*runtime.Container
	for _, c := range pod.Containers {
		if c.Name == name {
			list = append(list, c)
		}
	}
	return list
}

func mainCreated(in Input) bool {
	for i := range in.Pod.Spec.Containers {
		if in.Runtime.Container(in.Pod.Spec.Containers[i].Name) != nil {
			return true
		}
	}
	return false
}

// missing is the status of a container that the runtime has no instance of.
func missing(in Input, c *corev1.Container, old *corev1.ContainerStatus, hasInit bool) corev1.ContainerStatus {
	s := corev1.ContainerStatus{
		Name: c.Name, Image: c.Image, VolumeMounts: volumeMounts(in, c),
		State: corev1.ContainerState{Waiting: unstarted(hasInit)},
	}
	if old == nil {
		return s
	}
	if in.RestartsAll && old.ContainerID != "" { // else it was counted when it was taken away
		s.State.Waiting = &corev1.ContainerStateWaiting{Reason: restartingAll, Message: restartingAllMessage}
		s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{Reason: restartingAll, Message: restartingAllMessage, ExitCode: 137}
		s.RestartCount = old.RestartCount + 1
		return s
	}
	if old.State.Terminated != nil {
		return *old.DeepCopy()
	}
	s.RestartCount, s.LastTerminationState = old.RestartCount, old.LastTerminationState
	if old.State.Running == nil || s.LastTerminationState.Terminated != nil {
		return s
	}
	// It was running and is gone: how it ended nobody knows.
	gone := &corev1.ContainerStateTerminated{
		Reason: statusUnknown, ExitCode: 137,
		Message: "The container could not be located when the pod was deleted.  The container used to be Running",
	}
	if in.Finishing {
		gone.Message = "The container could not be located when the pod was terminated"
		s.State = corev1.ContainerState{Terminated: gone}
		return s
	}
	s.LastTerminationState.Terminated = gone
	s.RestartCount++
	return s
}

// present is the status of a container by its newest instance.
func present(in Input, c *corev1.Container, r *runtime.Container, old *corev1.ContainerStatus, hasInit bool) corev1.ContainerStatus {
	s := corev1.ContainerStatus{
		Name:         c.Name,
		Image:        r.Image,
		ImageID:      r.ImageRef,
		ContainerID:  in.RuntimeName + "://" + r.ID,
		RestartCount: int32(r.RestartCount),
		State:        stateOf(in, r, hasInit),
		VolumeMounts: volumeMounts(in, c),
		StopSignal:   runtime.StopSignalName(r.StopSignal),
	}
	if old != nil {
		s.RestartCount = max(s.RestartCount, old.RestartCount)
		if len(old.VolumeMounts) > 0 {
			s.VolumeMounts = old.VolumeMounts
		}
	}
	if r.State == runtime.Unknown && old != nil && old.State.Running != nil {
		s.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			Reason: statusUnknown, ExitCode: 137,
			Message: "The container could not be located when the pod was terminated",
		}}
		s.RestartCount = old.RestartCount + 1
	}
	resourcesOf(in, c, r, old, &s)
	if u := r.User.GetLinux(); u != nil {
		s.User = &corev1.ContainerUser{Linux: &corev1.LinuxContainerUser{
			UID: u.Uid, GID: u.Gid, SupplementalGroups: u.SupplementalGroups,
		}}
	}
	return s
}

// resourcesOf reports what an instance was last given; where that is not known any more, what the API remembers.
func resourcesOf(in Input, c *corev1.Container, r *runtime.Container, old *corev1.ContainerStatus, s *corev1.ContainerStatus) {
	actual := c.Resources
	if given, ok := in.Actuated[c.Name]; ok && r.State == runtime.Running {
		actual = given
	} else if old != nil && old.Resources != nil && r.State == runtime.Running && old.ContainerID == s.ContainerID {
		actual = *old.Resources
	}
	s.Resources = actual.DeepCopy()
	s.AllocatedResources = c.Resources.Requests.DeepCopy()
}

func stateOf(in Input, r *runtime.Container, hasInit bool) corev1.ContainerState {
	switch r.State {
	case runtime.Running:
		return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: seconds(r.StartedAt)}}
	case runtime.Exited:
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: r.ExitCode, Reason: r.Reason, Message: r.Message,
			StartedAt: seconds(r.StartedAt), FinishedAt: seconds(r.FinishedAt),
			ContainerID: in.RuntimeName + "://" + r.ID,
		}}
	}
	return corev1.ContainerState{Waiting: unstarted(hasInit)}
}

// unstarted is what a container waits for that nothing holds back: its own creation, or that of those before it.
func unstarted(hasInit bool) *corev1.ContainerStateWaiting {
	if hasInit {
		return &corev1.ContainerStateWaiting{Reason: "PodInitializing"}
	}
	return &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
}

// seconds is the precision that the API keeps.
func seconds(t time.Time) metav1.Time {
	return metav1.Time{Time: t}.Rfc3339Copy()
}

func volumeMounts(in Input, c *corev1.Container) []corev1.VolumeMountStatus {
	var list []corev1.VolumeMountStatus
	for _, m := range c.VolumeMounts {
		s := corev1.VolumeMountStatus{Name: m.Name, MountPath: m.MountPath, ReadOnly: m.ReadOnly}
		if m.ReadOnly {
			mode := corev1.RecursiveReadOnlyDisabled
			switch asked := cmp.Or(m.RecursiveReadOnly, &mode); *asked {
			case corev1.RecursiveReadOnlyEnabled:
				mode = corev1.RecursiveReadOnlyEnabled
			case corev1.RecursiveReadOnlyIfPossible:
				if in.RecursiveReadOnly {
					mode = corev1.RecursiveReadOnlyEnabled
				}
			}
			s.RecursiveReadOnly = &mode
		}
		list = append(list, s)
	}
	return list
}

// probed sets whether a container has started and is ready.
func probed(in Input, c *corev1.Container, old *corev1.ContainerStatus, s *corev1.ContainerStatus, init bool) {
	if init && !core.IsSidecar(c) {
		started := s.State.Running != nil
		s.Started = &started
		s.Ready = s.State.Terminated != nil && s.State.Terminated.ExitCode == 0
		return
	}
	started := false
	if s.State.Running != nil {
		_, id, _ := strings.Cut(s.ContainerID, "://")
		found := Probes{}
		if in.Probes != nil {
			found = in.Probes(id)
		}
		same := old != nil && old.ContainerID == s.ContainerID
		started = known(found.Started, c.StartupProbe != nil, same && old.Started != nil && *old.Started)
		s.Ready = started && known(found.Ready, c.ReadinessProbe != nil, same && old.Ready)
	}
	s.Started = &started
}

// known is a probe's finding; before there is one, what was last reported of the same instance, so that a restart
// of the kubelet makes nothing unready.
func known(found *bool, hasProbe, before bool) bool {
	switch {
	case !hasProbe:
		return true
	case found != nil:
		return *found
	}
	return before
}
