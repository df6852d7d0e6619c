// Package nodeunschedulable keeps pods off cordoned nodes.
package nodeunschedulable

import (
	corev1 "k8s.io/api/core/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

var cordoned = framework.Reject(framework.Unresolvable, "node(s) were unschedulable")

// Plugin rejects nodes with spec.unschedulable, but for pods that tolerate the taint which stands for it.
type Plugin struct{}

// Name is the plugin's name upstream.
func (Plugin) Name() string { return "NodeUnschedulable" }

// Interests are nodes that come or are uncordoned, and new tolerations.
func (Plugin) Interests() []framework.Interest {
	return []framework.Interest{
		{Actions: framework.NodeAdded | framework.NodeTaintsChanged, Helps: func(pod *corev1.Pod, event framework.Event) bool {
			node, ok := event.New.(*corev1.Node)
			return ok && (!node.Spec.Unschedulable || tolerates(pod))
		}},
		{Actions: framework.SelfChanged, Helps: func(_ *corev1.Pod, event framework.Event) bool {
			pod, ok := event.New.(*corev1.Pod)
			return ok && tolerates(pod)
		}},
	}
}

// Prepare rejects cordoned nodes for a pod that does not tolerate them.
func (Plugin) Prepare(pod *snapshot.Pod, _ *snapshot.Snapshot) (framework.Opinion, *framework.Status) {
	if tolerates(pod.Pod) {
		return framework.Opinion{}, nil
	}
	return framework.Opinion{Filter: func(node *snapshot.Node) *framework.Status {
		if node.Spec.Unschedulable {
			return cordoned
		}
		return nil
	}}, nil
}

func tolerates(pod *corev1.Pod) bool {
	taint := corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}
	return corev1helpers.TolerationsTolerateTaint(klog.Background(), pod.Spec.Tolerations, &taint, true)
}
