// Package tainttoleration keeps pods off nodes with taints that they do not
// tolerate, and prefers nodes without such taints.
package tainttoleration

import (
	corev1 "k8s.io/api/core/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

// The taint itself is not named: a message per node would make no histogram.
var untolerated = framework.Reject(framework.Unresolvable, "node(s) had untolerated taint(s)")

// Plugin compares taints with tolerations.
type Plugin struct{}

// Name is the plugin's name upstream.
func (Plugin) Name() string { return "TaintToleration" }

// Interests are nodes whose taints the pod tolerates, and new tolerations.
func (Plugin) Interests() []framework.Interest {
	return []framework.Interest{
		{Actions: framework.NodeAdded | framework.NodeTaintsChanged, Helps: func(pod *corev1.Pod, event framework.Event) bool {
			node, ok := event.New.(*corev1.Node)
			return ok && tolerated(pod, node)
		}},
		{Actions: framework.SelfChanged, Helps: func(_ *corev1.Pod, event framework.Event) bool {
			old, ok := event.Old.(*corev1.Pod)
			pod, also := event.New.(*corev1.Pod)
			return ok && also && len(old.Spec.Tolerations) != len(pod.Spec.Tolerations)
		}},
	}
}

// Prepare rejects nodes with untolerated taints, and scores them by those that only prefer no pods.
func (Plugin) Prepare(pod *snapshot.Pod, _ *snapshot.Snapshot) (framework.Opinion, *framework.Status) {
	return framework.Opinion{
		Filter: func(node *snapshot.Node) *framework.Status {
			if len(node.Spec.Taints) > 0 && !tolerated(pod.Pod, node.Node) {
				return untolerated
			}
			return nil
		},
		Score: func(feasible []*snapshot.Node) []int64 {
			soft := softTolerations(pod.Spec.Tolerations)
			scores := make([]int64, len(feasible))
			for i, node := range feasible {
				scores[i] = unwelcome(node.Spec.Taints, soft)
			}
			return framework.Spread(scores, true)
		},
	}, nil
}

func tolerated(pod *corev1.Pod, node *corev1.Node) bool {
	_, found := corev1helpers.FindMatchingUntoleratedTaint(klog.Background(), node.Spec.Taints, pod.Spec.Tolerations, func(t *corev1.Taint) bool {
		return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
	}, true)
	return !found
}

// softTolerations are those that can hold for a taint which prefers no pods.
func softTolerations(tolerations []corev1.Toleration) []corev1.Toleration {
	var soft []corev1.Toleration
	for _, toleration := range tolerations {
		if toleration.Effect == "" || toleration.Effect == corev1.TaintEffectPreferNoSchedule {
			soft = append(soft, toleration)
		}
	}
	return soft
}

// unwelcome counts the taints that prefer no such pod.
func unwelcome(taints []corev1.Taint, tolerations []corev1.Toleration) int64 {
	var count int64
	for i := range taints {
		if taints[i].Effect == corev1.TaintEffectPreferNoSchedule &&
			!corev1helpers.TolerationsTolerateTaint(klog.Background(), tolerations, &taints[i], true) {
			count++
		}
	}
	return count
}
