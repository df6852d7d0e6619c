package core

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

// ValidateBinding checks what a scheduler posts to assign a pod to a node.
func ValidateBinding(b *corev1.Binding) field.ErrorList {
	var errs field.ErrorList
	if kind := b.Target.Kind; kind != "" && kind != "Node" {
		errs = append(errs, field.NotSupported(field.NewPath("target", "kind"), kind, []string{"Node", "<empty>"}))
	}
	if at := field.NewPath("target", "name"); b.Target.Name == "" {
		errs = append(errs, field.Required(at, ""))
	} else if len(errs) == 0 {
		errs = rule.DNSSubdomain(b.Target.Name, at)
	}
	return errs
}

// ValidatePodLogOptions checks what of a log is asked for.
func ValidatePodLogOptions(o *corev1.PodLogOptions) field.ErrorList {
	var errs field.ErrorList
	invalid := func(name string, value any, message string) {
		errs = append(errs, field.Invalid(field.NewPath(name), value, message))
	}
	if o.TailLines != nil && *o.TailLines < 0 {
		invalid("tailLines", *o.TailLines, "must be greater than or equal to 0")
	}
	if o.LimitBytes != nil && *o.LimitBytes < 1 {
		invalid("limitBytes", *o.LimitBytes, "must be greater than 0")
	}
	switch {
	case o.SinceSeconds != nil && o.SinceTime != nil:
		errs = append(errs, field.Forbidden(field.NewPath(""), "at most one of `sinceTime` or `sinceSeconds` may be specified"))
	case o.SinceSeconds != nil && *o.SinceSeconds < 1:
		invalid("sinceSeconds", *o.SinceSeconds, "must be greater than 0")
	}
	if o.Stream != nil {
		errs = append(errs, field.Forbidden(field.NewPath("stream"), "may not be specified"))
	}
	return errs
}
