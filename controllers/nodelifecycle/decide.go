package nodelifecycle

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/apis/core"
)

// reported are the conditions that nobody vouches for when a Node is silent.
func reported() []corev1.NodeConditionType {
	return []corev1.NodeConditionType{corev1.NodeReady, corev1.NodeMemoryPressure, corev1.NodeDiskPressure, corev1.NodePIDPressure}
}

// conditionTaint is the key of the taint that stands for a condition's status; empty for none.
//
// https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-nodes-by-condition
func conditionTaint(c corev1.NodeCondition) string {
	switch {
	case c.Type == corev1.NodeReady && c.Status == corev1.ConditionFalse:
		return corev1.TaintNodeNotReady
	case c.Type == corev1.NodeReady && c.Status == corev1.ConditionUnknown:
		return corev1.TaintNodeUnreachable
	case c.Status != corev1.ConditionTrue:
		return ""
	}
	switch c.Type {
	case corev1.NodeMemoryPressure:
		return corev1.TaintNodeMemoryPressure
	case corev1.NodeDiskPressure:
		return corev1.TaintNodeDiskPressure
	case corev1.NodePIDPressure:
		return corev1.TaintNodePIDPressure
	case corev1.NodeNetworkUnavailable:
		return corev1.TaintNodeNetworkUnavailable
	}
	return ""
}

// ours reports whether this controller sets and removes the taint.
func ours(t corev1.Taint) bool {
	switch t.Key {
	case corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable:
		return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
	case corev1.TaintNodeUnschedulable, corev1.TaintNodeMemoryPressure, corev1.TaintNodeDiskPressure,
		corev1.TaintNodePIDPressure, corev1.TaintNodeNetworkUnavailable:
		return t.Effect == corev1.TaintEffectNoSchedule
	}
	return false
}

// silenced returns the conditions of a Node that has not been heard of for too long.
func silenced(node *corev1.Node, now time.Time) []corev1.NodeCondition {
	conditions := slices.Clone(node.Status.Conditions)
	for _, kind := range reported() {
		i := slices.IndexFunc(conditions, func(c corev1.NodeCondition) bool { return c.Type == kind })
		switch {
		case i < 0:
			conditions = append(conditions, corev1.NodeCondition{
				Type: kind, Status: corev1.ConditionUnknown,
				Reason: "NodeStatusNeverUpdated", Message: "Kubelet never posted node status.",
				LastHeartbeatTime: node.CreationTimestamp, LastTransitionTime: metav1.NewTime(now),
			})
		case conditions[i].Status != corev1.ConditionUnknown:
			conditions[i].Status = corev1.ConditionUnknown
			conditions[i].Reason, conditions[i].Message = "NodeStatusUnknown", "Kubelet stopped posting node status."
			conditions[i].LastTransitionTime = metav1.NewTime(now)
		}
	}
	return conditions
}

// eviction is whether Pods may be driven off a Node that is not ready.
type eviction int

const (
	// evict: the taint that drives Pods off is set.
	evict eviction = iota
	// hold: it is not set now, but stays where it is.
	hold
	// calm: it is taken away. Where all Nodes seem lost, it is more likely that we are.
	calm
)

// wantedTaints returns the Node's taints as they should be: those that others set, as they are, and ours by its
// conditions.
func wantedTaints(node *corev1.Node, allow eviction, now time.Time) []corev1.Taint {
	var wanted []corev1.Taint
	for _, c := range node.Status.Conditions {
		if key := conditionTaint(c); key != "" {
			wanted = append(wanted, corev1.Taint{Key: key, Effect: corev1.TaintEffectNoSchedule})
			if c.Type == corev1.NodeReady && mayDrive(node, allow) {
				wanted = append(wanted, corev1.Taint{Key: key, Effect: corev1.TaintEffectNoExecute})
			}
		}
	}
	if node.Spec.Unschedulable {
		wanted = append(wanted, corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule})
	}
	var taints []corev1.Taint
	for _, t := range node.Spec.Taints {
		if !ours(t) || hasTaint(wanted, t.Key, t.Effect) {
			taints = append(taints, t)
		}
	}
	for _, t := range wanted {
		if !hasTaint(taints, t.Key, t.Effect) {
			t.TimeAdded = &metav1.Time{Time: now}
			taints = append(taints, t)
		}
	}
	return taints
}

// mayDrive: on hold, a taint that drives Pods off is kept, or exchanged for its opposite, but not added.
func mayDrive(node *corev1.Node, allow eviction) bool {
	return allow == evict || allow == hold && drivesOff(node)
}

// drivesOff reports whether the Node has one of the taints that drive Pods off a Node that is not ready.
func drivesOff(node *corev1.Node) bool {
	return hasTaint(node.Spec.Taints, corev1.TaintNodeNotReady, corev1.TaintEffectNoExecute) ||
		hasTaint(node.Spec.Taints, corev1.TaintNodeUnreachable, corev1.TaintEffectNoExecute)
}

func hasTaint(taints []corev1.Taint, key string, effect corev1.TaintEffect) bool {
	return slices.ContainsFunc(taints, func(t corev1.Taint) bool { return t.Key == key && t.Effect == effect })
}

// wantedLabels returns the Node's labels with the old names of operating system and architecture beside the new ones.
func wantedLabels(labels map[string]string) map[string]string {
	wanted := maps.Clone(labels)
	for stable, beta := range map[string]string{corev1.LabelOSStable: "beta.kubernetes.io/os", corev1.LabelArchStable: "beta.kubernetes.io/arch"} {
		if value, ok := labels[stable]; ok {
			wanted[beta] = value
		}
	}
	return wanted
}

// lost reports whether a Node was found silent.
func lost(node *corev1.Node) bool {
	ready := core.NodeCondition(&node.Status, corev1.NodeReady)
	return ready != nil && ready.Status == corev1.ConditionUnknown
}

// silence judges a Node's signs: whether it has been silent for too long, and when to look again if not.
func silence(node *corev1.Node, s signs, grace, startupGrace time.Duration, now time.Time) (tooLong bool, again time.Duration) {
	if core.NodeCondition(&node.Status, corev1.NodeReady) == nil {
		grace = startupGrace
	}
	left := s.seen.Add(grace).Sub(now)
	if left < 0 {
		// It is looked at again when it changes.
		return true, 0
	}
	return false, left + time.Millisecond
}

func sameConditions(a, b []corev1.NodeCondition) bool { return apiequality.Semantic.DeepEqual(a, b) }
