// Package apps says what the objects of the apps group mean: defaults and validation, as pure functions.
package apps

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

// What the kinds that keep pods running have in common.

var spec, status = field.NewPath("spec"), field.NewPath("status")

const historyLimit int32 = 10

func orDefault[V any](value **V, fallback V) {
	if *value == nil {
		*value = &fallback
	}
}

// validateSelector requires a selector that selects something. owner is the kind named in the error.
func validateSelector(s *metav1.LabelSelector, owner string, at *field.Path) field.ErrorList {
	if s == nil {
		return field.ErrorList{field.Required(at, "")}
	}
	errs := rule.Selector(s, at)
	if len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		errs = append(errs, field.Invalid(at, s, "empty selector is invalid for "+owner))
	}
	return errs
}

// validateMatch requires that the template's pods are selected. Selectors that cannot be parsed are reported as invalid,
// with detail, and match is false.
func validateMatch(s *metav1.LabelSelector, template *corev1.PodTemplateSpec, at *field.Path, detail string) (errs field.ErrorList, parsed bool) {
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return field.ErrorList{field.Invalid(at.Child("selector"), s, detail)}, false
	}
	if !selector.Empty() && !selector.Matches(labels.Set(template.Labels)) {
		return field.ErrorList{field.Invalid(at.Child("template", "metadata", "labels"), template.Labels, "`selector` does not match template `labels`")}, true
	}
	return nil, true
}

// validateEndless refuses pods that would end by themselves.
func validateEndless(pod *corev1.PodSpec, owner string, at *field.Path) (errs field.ErrorList) {
	errs = rule.OneOf(pod.RestartPolicy, at.Child("restartPolicy"), corev1.RestartPolicyAlways)
	if pod.ActiveDeadlineSeconds != nil {
		errs = append(errs, field.Forbidden(at.Child("activeDeadlineSeconds"), "activeDeadlineSeconds in "+owner+" is not Supported"))
	}
	return errs
}

// atMost refuses a count above the one it is a part of.
func atMost(n, whole int32, at *field.Path, of string) field.ErrorList {
	if n <= whole {
		return nil
	}
	return field.ErrorList{field.Invalid(at, n, "cannot be greater than "+of)}
}

func validateCollisions(count, old *int32) field.ErrorList {
	if !rule.Decremented(count, old) {
		return nil
	}
	var value int32
	if count != nil {
		value = *count
	}
	return field.ErrorList{field.Invalid(status.Child("collisionCount"), value, "cannot be decremented")}
}
