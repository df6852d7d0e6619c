package pods

import (
	"context"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/kubelet/admission"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
	"github.com/coracle-k8s/coracle/kubelet/status"
)

// admit refuses a Pod that this node cannot run: one that was bound without the scheduler, or by one whose picture of
// the node was old. A Pod that was ever admitted here is not looked at again.
func (w *worker) admit(ctx context.Context, f facts) *status.Verdict {
	if f.removed || f.verdict != nil || f.pod.DeletionTimestamp != nil || terminal(f.pod.Status.Phase) {
		return nil
	}
	w.mu.Lock()
	w.accepted = w.accepted || len(f.runtime.Sandboxes) > 0
	accepted := w.accepted
	w.mu.Unlock()
	node := w.Node()
	if accepted || node == nil {
		return nil
	}
	refusal := w.weigh(f.pod, node)
	if refusal != nil && refusal.Reason == admission.ReasonAffinity {
		// Labels may be newer than what was heard of them.
		if fresh, err := w.Client.CoreV1().Nodes().Get(ctx, node.Name, metav1.GetOptions{}); err == nil {
			refusal = w.weigh(f.pod, fresh)
		}
	}
	if refusal != nil {
		w.Metrics.Rejected(refusal.Reason)
		return &status.Verdict{Warning: true, Reason: refusal.Reason, Message: "Pod was rejected: " + refusal.Message}
	}
	w.record(ctx)
	return nil
}

// weigh gives a Pod its share of the node, or says why not. A critical Pod gets the share of others that must go.
func (w *worker) weigh(pod *corev1.Pod, node *corev1.Node) *admission.Refusal {
	w.Manager.admission.Lock()
	defer w.Manager.admission.Unlock()
	others := w.acceptedPods()
	refusal := w.Admission.Admit(admission.Request{Pod: pod, Node: node, Others: others})
	var victims []*corev1.Pod
	if refusal != nil && len(refusal.Lacks) > 0 && admission.IsCritical(pod) {
		victims = admission.Victims(pod, refusal.Lacks, others)
	}
	if refusal != nil && len(victims) == 0 {
		return refusal
	}
	if len(victims) > 0 {
		w.Metrics.Preempted(string(slices.Min(slices.Collect(maps.Keys(refusal.Lacks)))))
	}
	leaving := w.preempt(victims)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.accepted, w.leaving = true, leaving
	return nil
}

// preempted is what Pods are told that go for a critical one.
const preempted = "Preempted in order to admit critical pod"

// preempt ends Pods and returns their workers.
func (m *Manager) preempt(victims []*corev1.Pod) (leaving []*worker) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range victims {
		w := m.workers[v.UID]
		if w == nil {
			continue
		}
		w.judge(status.Verdict{
			Reason: "Preempting", Message: preempted, Warning: true,
			Conditions: []corev1.PodCondition{{
				Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: corev1.PodReasonTerminationByKubelet,
				Message: "Pod was preempted by Kubelet to accommodate a critical pod.",
			}},
		})
		leaving = append(leaving, w)
	}
	return leaving
}

// leaveEvery is how often a Pod looks whether those have ended whose place it takes.
const leaveEvery = 200 * time.Millisecond

// waits tells whether Pods still run whose place this one takes.
func (w *worker) waits() bool {
	w.mu.Lock()
	leaving := w.leaving
	w.mu.Unlock()
	leaving = slices.DeleteFunc(slices.Clone(leaving), func(o *worker) bool {
		seen := o.lastSeen()
		return len(seen.Alive()) == 0 && !seen.HasReadySandbox()
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leaving = leaving
	return len(leaving) > 0
}

// acceptedPods are the Pods that hold a share of the node.
func (m *Manager) acceptedPods() []*corev1.Pod {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []*corev1.Pod
	for _, w := range m.workers {
		w.mu.Lock()
		if (w.accepted || len(w.seen.Sandboxes) > 0) && !w.removed && w.verdict == nil && !core.PodTerminal(w.pod) {
			list = append(list, withResources(w.pod, w.granted))
		}
		w.mu.Unlock()
	}
	return list
}

// readmit lets the Pods that the API has keep the share that they had of the node before this process, or before the machine was started
// again, and then gives the others theirs in the order of their creation. Workers do not run yet.
func (m *Manager) readmit(ctx context.Context) {
	listed, err := m.observer.List(ctx)
	if err != nil {
		klog.FromContext(ctx).Error(err, "Looking for pods that run")
	}
	ran := map[types.UID]bool{}
	for _, l := range listed {
		ran[l.UID] = true
	}
	m.mu.Lock()
	workers := slices.Collect(maps.Values(m.workers))
	m.mu.Unlock()
	var rest []*worker
	for _, w := range workers {
		granted, known := m.recorded(w.uid)
		w.mu.Lock()
		w.granted, w.accepted = granted, known || ran[w.uid] || w.pod.Status.Phase == corev1.PodRunning
		if !w.accepted {
			rest = append(rest, w)
		}
		w.mu.Unlock()
	}
	slices.SortFunc(rest, func(a, b *worker) int { return a.pod.CreationTimestamp.Compare(b.pod.CreationTimestamp.Time) })
	for _, w := range rest {
		if verdict := w.admit(ctx, facts{pod: w.pod, runtime: &runtime.Pod{}}); verdict != nil {
			w.judge(*verdict)
		}
	}
}
