// Package node says what the objects of node.k8s.io mean.
package node

import (
	nodev1 "k8s.io/api/node/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

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
	if s, at := c.Scheduling, field.NewPath("scheduling"); s != nil {
		errs = append(errs, metav1validation.ValidateLabels(s.NodeSelector, at.Child("nodeSelector"))...)
	}
	return errs
}

// ValidateRuntimeClassUpdate keeps the handler.
func ValidateRuntimeClassUpdate(c, old *nodev1.RuntimeClass) field.ErrorList {
	return rule.Immutable(c.Handler, old.Handler, field.NewPath("handler"))
}
