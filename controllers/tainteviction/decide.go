package tainteviction

import (
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
)

// driving returns the taints that drive Pods off.
func driving(taints []corev1.Taint) []corev1.Taint {
	var some []corev1.Taint
	for _, t := range taints {
		if t.Effect == corev1.TaintEffectNoExecute {
			some = append(some, t)
		}
	}
	return some
}

// decide returns how long a Pod with the tolerations may stay on a Node with the taints, from when it is first found
// there; less than zero means for good.
//
// https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions
func decide(taints []corev1.Taint, tolerations []corev1.Toleration) time.Duration {
	shortest := int64(math.MaxInt64)
	for _, taint := range driving(taints) {
		tolerated := false
		for _, toleration := range tolerations {
			if !toleration.ToleratesTaint(klog.Background(), &taint, true) {
				continue
			}
			tolerated = true
			if toleration.TolerationSeconds != nil {
				shortest = min(shortest, max(0, *toleration.TolerationSeconds))
			}
			break
		}
		if !tolerated {
			return 0
		}
	}
	if shortest == math.MaxInt64 {
		return -1
	}
	return time.Duration(shortest) * time.Second
}
