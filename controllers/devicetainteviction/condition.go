package devicetainteviction

import (
	"fmt"

	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// counts are what a rule does, or would do.
type counts struct {
	published, allocated int // devices
	pending, namespaces  int // Pods to be evicted, and how many namespaces they are in
	evicted              int // Pods that were, since the controller started
}

// condition tells how far the evictions of a rule are. Its time is left to whoever writes it.
func condition(rule *resourcev1.DeviceTaintRule, n counts) metav1.Condition {
	c := metav1.Condition{Type: resourcev1.DeviceTaintConditionEvictionInProgress, Status: metav1.ConditionFalse, ObservedGeneration: rule.Generation}
	switch effect := rule.Spec.Taint.Effect; {
	case effect == resourcev1.DeviceTaintEffectNone:
		c.Reason = "NoEffect"
		c.Message = fmt.Sprintf("%s selected. %s selected. %s would be evicted in %s if the effect was NoExecute. "+
			"This information will not be updated again. Recreate the DeviceTaintRule to trigger an update.",
			many(n.published, "published device"), many(n.allocated, "allocated device"), many(n.pending, "pod"), different(n.namespaces))
	case effect != resourcev1.DeviceTaintEffectNoExecute:
		c.Reason, c.Message = "OtherEffect", "Eviction only happens for the NoExecute effect."
	case n.pending > 0:
		verb := "need"
		if n.pending == 1 {
			verb = "needs"
		}
		c.Status, c.Reason = metav1.ConditionTrue, "PodsPendingEviction"
		c.Message = fmt.Sprintf("%s %s to be evicted in %s.", many(n.pending, "pod"), verb, different(n.namespaces))
	case n.evicted > 0:
		c.Reason = "Completed"
	default:
		c.Reason = "NotStarted"
	}
	if n.evicted > 0 {
		if c.Message != "" {
			c.Message += " "
		}
		c.Message += many(n.evicted, "pod") + " evicted since starting the controller."
	}
	return c
}

func many(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func different(namespaces int) string {
	if namespaces == 1 {
		return "1 namespace"
	}
	return fmt.Sprintf("%d different namespaces", namespaces)
}
