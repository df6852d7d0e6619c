package pods

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/kubelet/runtime"
	"github.com/coracle-k8s/coracle/kubelet/status"
)

// facts is all that what to do with a Pod follows from.
type facts struct {
	pod     *corev1.Pod
	runtime *runtime.Pod
	now     time.Time
	// startup and liveness return a probe's latest finding of a container instance, nil where there is none yet.
	startup, liveness func(containerID string) *bool
	backoff           *backoffs
	// old is the Pod's latest status.
	old corev1.PodStatus
	// verdict is set when the Pod must end whatever its containers do.
	verdict *status.Verdict
	// actuated is what running containers were last given, by name.
	actuated map[string]corev1.ResourceRequirements
	// removed says that the API has the Pod no more.
	removed bool
	// down are the sandboxes that this process has stopped, network and all, by ID.
	down map[string]bool
}

// plan is what to do next, and what it means for the status.
type plan struct {
	actions []action
	// finishing says that no container is to be started again; done, that there is nothing left to stop.
	finishing, done bool
	verdict         *status.Verdict
	// restartsAll says that all containers are being started again.
	restartsAll bool
	// waiting is why containers are not started although they should run.
	waiting map[string]status.Waiting
	// resizes are the running containers that are not given what they are entitled to.
	resizes []*corev1.Container
	// wake is when to look again although nothing may have happened; zero for never.
	wake time.Duration
}

// An action changes the runtime. Actions of a plan are carried out in order. Its key tells it from the others of its Pod: one that
// fails is tried again after a pause of its own.
type action interface{ key() string }

type (
	// startSandbox gives the Pod fresh namespaces. What is left of earlier ones is stopped before.
	startSandbox struct{ attempt uint32 }
	// stopPod stops all containers in order and then all sandboxes.
	stopPod struct{}
	// startContainer creates and starts a new instance.
	startContainer struct {
		spec         *corev1.Container
		kind         kind
		restartCount int
		target       string // name of the container whose processes an ephemeral container sees
	}
	// keepVolumes takes over the volumes of a Pod that runs since before this process.
	keepVolumes struct{}
	// stopContainer stops one instance.
	stopContainer struct {
		id      string
		spec    *corev1.Container
		message string
		probe   *corev1.Probe // the probe that failed, whose grace period counts
	}
)

func (startSandbox) key() string     { return "sandbox" }
func (stopPod) key() string          { return "stop" }
func (a startContainer) key() string { return "start " + a.spec.Name }
func (a stopContainer) key() string  { return "stop " + a.id }
func (keepVolumes) key() string      { return "volumes" }

// kind is the role of a container in its Pod.
type kind string

const (
	initContainer      kind = "init"
	sidecarContainer   kind = "sidecar"
	mainContainer      kind = "main"
	ephemeralContainer kind = "ephemeral"
)

// decide returns what to do with a Pod. It is pure.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
func decide(f facts) plan {
	p := plan{verdict: f.verdict, waiting: map[string]status.Waiting{}}
	p.checkDeadline(f)
	over := f.removed || f.pod.DeletionTimestamp != nil || p.verdict != nil || terminal(f.old.Phase) || terminal(f.pod.Status.Phase)
	if over {
		return p.finish(f)
	}
	restarts, instances := restartsAll(f)
	if p.restartsAll = restarts; restarts && len(instances) > 0 {
		p.actions = append(p.actions, restartAll{instances})
		return p
	}
	if needed, attempt := f.runtime.NeedsSandbox(f.pod); needed {
		if !worthSandbox(f, attempt) {
			return p.finish(f)
		}
		p.actions = append(p.actions, startSandbox{attempt: attempt})
		return p
	}
	for i := range f.pod.Spec.EphemeralContainers {
		ec := &f.pod.Spec.EphemeralContainers[i]
		if f.runtime.Container(ec.Name) == nil {
			p.actions = append(p.actions, startContainer{
				spec: (*corev1.Container)(&ec.EphemeralContainerCommon), kind: ephemeralContainer, target: ec.TargetContainerName,
			})
		}
	}
	initialized, failed := p.decideInit(f)
	if failed {
		return p.finish(f)
	}
	if initialized && !p.decideMain(f) {
		return p.finish(f)
	}
	if len(p.resizes) > 0 {
		p.actions = append(p.actions, resize{containers: p.resizes})
	}
	return p
}

func terminal(phase corev1.PodPhase) bool {
	return phase == corev1.PodFailed || phase == corev1.PodSucceeded
}

// finish stops what runs. Whatever else was planned is dropped.
func (p plan) finish(f facts) plan {
	p.finishing, p.actions, p.wake = true, nil, 0
	p.waiting = map[string]status.Waiting{}
	if len(f.runtime.Alive()) > 0 || f.anySandboxUp() {
		p.actions = []action{stopPod{}}
	}
	p.done = len(p.actions) == 0
	return p
}

// anySandboxUp tells whether a sandbox is still to be stopped. One whose processes have ended may hold an address yet: its network is taken
// down last, and where that fails the runtime says of the sandbox nothing but that it is not ready.
func (f facts) anySandboxUp() bool {
	if f.runtime == nil {
		return false
	}
	return slices.ContainsFunc(f.runtime.Sandboxes, func(s *runtime.Sandbox) bool { return s.Ready || !f.down[s.ID] })
}

func (p *plan) lookAgain(after time.Duration) {
	if p.wake == 0 || after < p.wake {
		p.wake = max(after, time.Millisecond)
	}
}

// checkDeadline ends a Pod that was active for too long.
func (p *plan) checkDeadline(f facts) {
	limit, since := f.pod.Spec.ActiveDeadlineSeconds, f.old.StartTime
	if limit == nil || since.IsZero() || p.verdict != nil || terminal(f.old.Phase) {
		return
	}
	left := time.Duration(*limit)*time.Second - f.now.Sub(since.Time)
	if left > 0 {
		p.lookAgain(left)
		return
	}
	p.verdict = &status.Verdict{
		Reason: "DeadlineExceeded", Message: "Pod was active on the node longer than the specified deadline",
	}
}

// worthSandbox tells whether anything would run in a new sandbox.
func worthSandbox(f facts, attempt uint32) bool {
	started := len(f.runtime.Containers) > 0
	if attempt > 0 && started && f.pod.Spec.RestartPolicy == corev1.RestartPolicyNever && !anyOwnRestart(f.pod) {
		return false
	}
	if !anyMainCreated(f) {
		return true
	}
	for i := range f.pod.Spec.Containers {
		c := &f.pod.Spec.Containers[i]
		if runtime.ShouldStart(f.pod, c, f.runtime.Container(c.Name)) || isRunning(f.runtime.Container(c.Name)) {
			return true
		}
	}
	return false
}

func anyOwnRestart(pod *corev1.Pod) bool {
	for i := range pod.Spec.Containers {
		if r := pod.Spec.Containers[i].RestartPolicy; r != nil && *r != corev1.ContainerRestartPolicyNever {
			return true
		}
	}
	return false
}

func anyMainCreated(f facts) bool {
	for i := range f.pod.Spec.Containers {
		if f.runtime.Container(f.pod.Spec.Containers[i].Name) != nil {
			return true
		}
	}
	return false
}

func isRunning(c *runtime.Container) bool { return c != nil && c.State == runtime.Running }

// start plans a container's start, now or when its back-off is over. The end before counts where an instance still runs, which is
// to be stopped: one that its probes end again and again is held back too.
func (p *plan) start(f facts, c *corev1.Container, k kind) {
	if ended := f.runtime.Ended(c.Name); ended != nil {
		if delay, left := f.backoff.left(c, ended.FinishedAt, f.now); left > 0 {
			p.waiting[c.Name] = status.Waiting{
				Reason: "CrashLoopBackOff",
				Message: fmt.Sprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)",
					delay, c.Name, f.pod.Name, f.pod.Namespace, f.pod.UID),
			}
			p.lookAgain(left)
			return
		}
	}
	p.actions = append(p.actions, startContainer{spec: c, kind: k, restartCount: nextRestartCount(f, c.Name)})
}

func (p *plan) stop(c *runtime.Container, spec *corev1.Container, message string, probe *corev1.Probe) {
	p.actions = append(p.actions, stopContainer{id: c.ID, spec: spec, message: message, probe: probe})
}

// nextRestartCount is one more than any instance is known to have had.
func nextRestartCount(f facts, name string) int {
	next := 0
	if c := f.runtime.Container(name); c != nil {
		next = c.RestartCount + 1
	}
	for _, list := range [][]corev1.ContainerStatus{f.old.ContainerStatuses, f.old.InitContainerStatuses} {
		for i := range list {
			s := &list[i]
			if s.Name != name {
				continue
			}
			if next > 0 || s.ContainerID != "" || s.State.Terminated != nil || s.State.Running != nil {
				if f.runtime.Container(name) == nil {
					next = int(s.RestartCount) + 1
				}
			} else if s.LastTerminationState.Terminated != nil {
				next = int(s.RestartCount)
			}
		}
	}
	return next
}

func failed(finding *bool) bool { return finding != nil && !*finding }
