// Package node says what the objects of node.k8s.io mean.
package node

import (
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/apis/rule"
)

// ValidateRuntimeClass checks handler and scheduling.
// https://kubernetes.io/docs/concepts/containers/runtime-class/
func ValidateRuntimeClass(c *nodev1.RuntimeClass) (errs field.ErrorList) {
	handler := field.NewPath("handler")
	if c.Handler == "" {
		errs = append(errs, field.Required(handler, ""))
	} else {
		errs = append(errs, rule.DNSLabel(c.Handler, handler)...)
	}
	if c.Overhead != nil {
		errs = append(errs, core.ValidateLimits(c.Overhead.PodFixed, field.NewPath("overhead"))...)
	}
	if s, at := c.Scheduling, field.NewPath("scheduling"); s != nil {
		errs = append(errs, metav1validation.ValidateLabels(s.NodeSelector, at.Child("nodeSelector"))...)
		errs = append(errs, core.ValidateTolerations(s.Tolerations, at.Child("tolerations"))...)
		errs = append(errs, validateUnique(s.Tolerations, at.Child("tolerations"))...)
	}
	return errs
}

// validateUnique refuses tolerations of the same; how long they hold does not matter.
func validateUnique(tolerations []corev1.Toleration, at *field.Path) (errs field.ErrorList) {
	seen := map[corev1.Toleration]bool{}
	for i, t := range tolerations {
		key := t
		key.TolerationSeconds = nil
		if seen[key] {
			errs = append(errs, field.Duplicate(at.Index(i), t))
		}
		seen[key] = true
	}
	return errs
}

// ValidateRuntimeClassUpdate checks the class, and keeps the handler.
func ValidateRuntimeClassUpdate(c, old *nodev1.RuntimeClass) field.ErrorList {
	return append(ValidateRuntimeClass(c), rule.Fixed(c.Handler, old.Handler, field.NewPath("handler"))...)
}
