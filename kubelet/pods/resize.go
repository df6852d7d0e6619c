package pods

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/coracle-k8s/coracle/kubelet/admission"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// resizable are the resources that can change while a container runs.
// https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/
var resizable = []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory}

// resize is the action that gives running containers what they are now entitled to.
type resize struct{ containers []*corev1.Container }

func (resize) key() string { return "resize" }

// entitled returns the Pod with the resources that the node has granted it, and why it has not granted what the
// specification asks for. A Pod that never ran here is granted what it asks for: admission has seen to that.
func (w *worker) entitled(ctx context.Context, pod *corev1.Pod, observed *runtime.Pod) (*corev1.Pod, *corev1.PodCondition) {
	w.mu.Lock()
	if !w.recalled {
		w.recall(pod, observed)
	}
	granted := w.granted
	w.mu.Unlock()
	want := resourcesOf(pod)
	if sameResources(granted, want) || pod.DeletionTimestamp != nil {
		return withResources(pod, granted), nil
	}
	if condition := w.grantable(pod); condition != nil {
		return withResources(pod, granted), condition
	}
	w.mu.Lock()
	w.granted = want
	w.mu.Unlock()
	w.record(ctx)
	if len(observed.Containers) > 0 {
		w.event(pod, nil, corev1.EventTypeNormal, "ResizeStarted", "Pod resize started: generation %d", pod.Generation)
	}
	return pod, nil
}

// recall finds out what an earlier process granted and gave: what it recorded, or else what the API remembers. The lock is held.
func (w *worker) recall(pod *corev1.Pod, observed *runtime.Pod) {
	w.recalled = true
	recorded := w.granted
	w.granted = resourcesOf(pod)
	for _, list := range [][]corev1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses} {
		for i := range list {
			s := &list[i]
			instance := observed.Container(s.Name)
			if s.Resources == nil || s.State.Running == nil || !isRunning(instance) || !strings.HasSuffix(s.ContainerID, instance.ID) {
				continue
			}
			w.actuated[s.Name] = *s.Resources.DeepCopy()
			if _, ok := w.granted[s.Name]; ok {
				w.granted[s.Name] = *s.Resources.DeepCopy()
			}
		}
	}
	for name, granted := range recorded {
		if _, ok := w.granted[name]; ok {
			w.granted[name] = granted
		}
	}
}

// grantable returns nil where the node has room for what the Pod asks for now.
func (w *worker) grantable(pod *corev1.Pod) *corev1.PodCondition {
	node := w.Node()
	if node == nil {
		return nil
	}
	condition := &corev1.PodCondition{Type: corev1.PodResizePending, Status: corev1.ConditionTrue, ObservedGeneration: pod.Generation}
	if refusal := admission.Resources(admission.Request{Pod: pod, Node: node}); refusal != nil {
		condition.Reason = corev1.PodReasonInfeasible
		condition.Message = strings.Replace(refusal.Message, "Node didn't have enough resource", "Node didn't have enough capacity", 1)
		return condition
	}
	if refusal := admission.Resources(admission.Request{Pod: pod, Node: node, Others: w.acceptedPods()}); refusal != nil {
		condition.Reason, condition.Message = corev1.PodReasonDeferred, refusal.Message
		return condition
	}
	return nil
}

func resourcesOf(pod *corev1.Pod) map[string]corev1.ResourceRequirements {
	all := map[string]corev1.ResourceRequirements{}
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range list {
			all[list[i].Name] = list[i].Resources
		}
	}
	return all
}

func sameResources(a, b map[string]corev1.ResourceRequirements) bool {
	for name := range b {
		if !equalResources(a[name], b[name]) {
			return false
		}
	}
	return true
}

func equalResources(a, b corev1.ResourceRequirements) bool {
	for _, name := range resizable {
		if !apiequality.Semantic.DeepEqual(a.Requests[name], b.Requests[name]) || !apiequality.Semantic.DeepEqual(a.Limits[name], b.Limits[name]) {
			return false
		}
	}
	return true
}

// withResources returns the Pod itself where it has those resources, or a copy that does.
func withResources(pod *corev1.Pod, granted map[string]corev1.ResourceRequirements) *corev1.Pod {
	if sameResources(granted, resourcesOf(pod)) {
		return pod
	}
	copied := pod.DeepCopy()
	for _, list := range [][]corev1.Container{copied.Spec.Containers, copied.Spec.InitContainers} {
		for i := range list {
			if r, ok := granted[list[i].Name]; ok {
				list[i].Resources = *r.DeepCopy()
			}
		}
	}
	return copied
}

// resized plans what a running container needs to have what it is entitled to; restart says that it must be started
// anew for that.
func (p *plan) resized(f facts, c *corev1.Container) (restart bool) {
	given, ok := f.actuated[c.Name]
	if !ok || equalResources(given, c.Resources) {
		return false
	}
	for _, policy := range c.ResizePolicy {
		changed := !apiequality.Semantic.DeepEqual(given.Requests[policy.ResourceName], c.Resources.Requests[policy.ResourceName]) ||
			!apiequality.Semantic.DeepEqual(given.Limits[policy.ResourceName], c.Resources.Limits[policy.ResourceName])
		if policy.RestartPolicy == corev1.RestartContainer && changed {
			return true
		}
	}
	p.resizes = append(p.resizes, c)
	return false
}

// resizeConditions say how far a resize is.
func resizeConditions(f facts, p plan, pending *corev1.PodCondition, failure string) []corev1.PodCondition {
	var list []corev1.PodCondition
	if pending != nil {
		list = append(list, *pending)
	}
	if len(p.resizes) > 0 && !p.finishing {
		c := corev1.PodCondition{Type: corev1.PodResizeInProgress, Status: corev1.ConditionTrue, ObservedGeneration: f.pod.Generation}
		if failure != "" {
			c.Reason, c.Message = corev1.PodReasonError, failure
		}
		list = append(list, c)
	}
	return list
}

// resize gives containers what they are entitled to: the Pod's control group grows before theirs and shrinks after.
func (r *run) resize(ctx context.Context, a resize) (err error) {
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.resizeFailure = ""; err != nil && ctx.Err() == nil {
			r.resizeFailure = err.Error()
			r.event(r.pod, nil, corev1.EventTypeWarning, "ResizeError", "Pod resize error: generation %d, error: %v", r.pod.Generation, err)
		}
	}()
	r.mu.Lock()
	before := map[string]corev1.ResourceRequirements{}
	for name, given := range r.actuated {
		before[name] = given
	}
	r.mu.Unlock()
	if _, err := r.Resources.Create(withResources(r.pod, larger(before, resourcesOf(r.pod)))); err != nil {
		return err
	}
	for _, c := range a.containers {
		if err := r.resizeContainer(ctx, c, before[c.Name]); err != nil {
			return err
		}
	}
	if _, err := r.Resources.Create(r.pod); err != nil {
		return err
	}
	r.event(r.pod, nil, corev1.EventTypeNormal, "ResizeCompleted", "Pod resize completed: generation %d", r.pod.Generation)
	return nil
}

func (r *run) resizeContainer(ctx context.Context, c *corev1.Container, before corev1.ResourceRequirements) error {
	instance := r.observed.Container(c.Name)
	if !isRunning(instance) {
		return nil
	}
	if limit := c.Resources.Limits.Memory(); !limit.IsZero() && (before.Limits.Memory().IsZero() || limit.Cmp(*before.Limits.Memory()) < 0) {
		stats, err := r.Runtime.ContainerStats(ctx, instance.ID)
		if err != nil {
			return fmt.Errorf("reading memory usage of container %s: %w", c.Name, err)
		}
		if used := stats.GetMemory().GetUsageBytes().GetValue(); int64(used) >= limit.Value() {
			return fmt.Errorf("cannot decrease memory limit of container %s to %d: usage is %d", c.Name, limit.Value(), used)
		}
	}
	err := r.Runtime.UpdateContainerResources(ctx, instance.ID, &runtimeapi.ContainerResources{Linux: r.Resources.Container(r.pod, c)})
	if err != nil {
		return fmt.Errorf("resizing container %s: %w", c.Name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.actuated[c.Name] = *c.Resources.DeepCopy()
	return nil
}

// larger takes, for each container and resource, the larger of both; no limit is larger than any.
func larger(a, b map[string]corev1.ResourceRequirements) map[string]corev1.ResourceRequirements {
	out := map[string]corev1.ResourceRequirements{}
	for name, right := range b {
		left, ok := a[name]
		if !ok {
			out[name] = right
			continue
		}
		most := *right.DeepCopy()
		for _, resource := range resizable {
			if q, ok := left.Requests[resource]; ok && q.Cmp(most.Requests[resource]) > 0 {
				if most.Requests == nil {
					most.Requests = corev1.ResourceList{}
				}
				most.Requests[resource] = q
			}
			q, limited := left.Limits[resource]
			if !limited {
				delete(most.Limits, resource)
			} else if now, ok := most.Limits[resource]; ok && q.Cmp(now) > 0 {
				most.Limits[resource] = q
			}
		}
		out[name] = most
	}
	return out
}
