package pods

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// minimumGrace is what every container has to stop, however it is stopped.
const minimumGrace = 2

// stopPod stops all containers, sidecars after those that they serve, and then the sandboxes.
func (r *run) stopPod(ctx context.Context) error {
	if err := r.stopContainers(ctx, r.stopGrace()); err != nil {
		return err
	}
	return r.stopSandboxes(ctx)
}

// stopSandboxes takes down all that the Pod has, and remembers of which it succeeded: it is tried again until then.
func (r *run) stopSandboxes(ctx context.Context) error {
	var errs error
	for _, s := range r.observed.Sandboxes {
		if err := r.Runtime.StopPodSandbox(ctx, s.ID); err != nil && !runtime.IsNotFound(err) {
			errs = errors.Join(errs, fmt.Errorf("stopping sandbox %s: %w", s.ID, err))
			continue
		}
		r.mu.Lock()
		r.down[s.ID] = true
		r.mu.Unlock()
	}
	return errs
}

func (r *run) stopGrace() int64 {
	r.mu.Lock()
	verdict := r.verdict
	r.mu.Unlock()
	if verdict != nil && verdict.Immediate {
		return 0
	}
	if r.pod.Spec.NodeName != "" {
		return graceSeconds(r.pod)
	}
	// An orphan: only its containers remember.
	grace := int64(minimumGrace)
	for _, c := range r.observed.Alive() {
		_, seconds := runtime.RestoredContainer(c)
		grace = max(grace, seconds)
	}
	return grace
}

// stopContainers stops all that runs at once. A sidecar waits, within its grace period, until the main containers
// and the sidecars started after it have ended.
// https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#differences-from-application-containers
func (r *run) stopContainers(ctx context.Context, grace int64) error {
	alive := r.observed.Alive()
	if len(alive) == 0 {
		return nil
	}
	order := newTermination(r.pod, alive)
	var group guard.Group
	errs := make([]error, len(alive))
	for i, c := range alive {
		errs[i] = fmt.Errorf("stopping container %s: ended by a panic", c.Name)
		group.Go("stop of a container", func() {
			errs[i] = r.stopOne(ctx, c, r.specOf(c), fmt.Sprintf("Stopping container %s", c.Name), grace, order)
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// specOf is a container's specification: the Pod's, or what the container itself remembers.
func (r *run) specOf(c *runtime.Container) *corev1.Container {
	var spec *corev1.Container
	core.Containers(&r.pod.Spec, func(s *corev1.Container) bool {
		if s.Name == c.Name {
			spec = s
		}
		return spec == nil
	})
	if spec == nil {
		spec, _ = runtime.RestoredContainer(c)
	}
	return spec
}

func (r *run) stopContainer(ctx context.Context, a stopContainer) error {
	grace := graceSeconds(r.pod)
	if a.probe != nil && a.probe.TerminationGracePeriodSeconds != nil && r.pod.DeletionGracePeriodSeconds == nil {
		grace = *a.probe.TerminationGracePeriodSeconds
	}
	for _, c := range r.observed.Containers {
		if c.ID == a.id {
			return r.stopOne(ctx, c, a.spec, a.message, grace, nil)
		}
	}
	return nil
}

func (r *run) stopOne(ctx context.Context, c *runtime.Container, spec *corev1.Container, message string, grace int64, order *termination) error {
	r.event(r.pod, spec, corev1.EventTypeNormal, "Killing", "%s", message)
	start := time.Now()
	left := func() time.Duration { return time.Duration(grace)*time.Second - time.Since(start) }
	if grace > 0 && c.State == runtime.Running && r.firstHook(c.ID) {
		r.preStop(ctx, spec, c.ID, left())
	}
	if order != nil {
		order.wait(ctx, c.Name, left())
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	seconds := max(minimumGrace, int64((left()+time.Second-1)/time.Second))
	err := r.Runtime.StopContainer(ctx, c.ID, seconds)
	if err != nil && !runtime.IsNotFound(err) {
		return fmt.Errorf("stopping container %s: %w", c.Name, err)
	}
	if order != nil {
		order.ended(c.Name)
	}
	return nil
}

// firstHook tells whether a container's preStop hook has still to run: a second, shorter, grace period does not run
// it again.
func (r *run) firstHook(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := !r.hooked[id]
	r.hooked[id] = true
	return first
}

// termination lets sidecars end in the reverse order of their start.
type termination struct {
	after map[string][]string      // a container's name, and those that must end before it
	done  map[string]chan struct{} // closed when a container has ended
}

func newTermination(pod *corev1.Pod, alive []*runtime.Container) *termination {
	t := &termination{after: map[string][]string{}, done: map[string]chan struct{}{}}
	for _, c := range alive {
		t.done[c.Name] = make(chan struct{})
	}
	var before []string
	for i := range pod.Spec.Containers {
		before = append(before, pod.Spec.Containers[i].Name)
	}
	for i := len(pod.Spec.InitContainers) - 1; i >= 0; i-- {
		if c := &pod.Spec.InitContainers[i]; core.IsSidecar(c) {
			t.after[c.Name] = before
			before = append(before[:len(before):len(before)], c.Name)
		}
	}
	return t
}

func (t *termination) wait(ctx context.Context, name string, limit time.Duration) {
	if len(t.after[name]) == 0 || limit <= 0 {
		return
	}
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for _, other := range t.after[name] {
		done := t.done[other]
		if done == nil {
			continue // does not run
		}
		select {
		case <-done:
		case <-timeout.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (t *termination) ended(name string) {
	if done := t.done[name]; done != nil {
		select {
		case <-done:
		default:
			close(done)
		}
	}
}
