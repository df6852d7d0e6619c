package batch

import (
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

const (
	maxRules      = 20
	maxExitCodes  = 255
	maxConditions = 20
)

// validateFailurePolicy checks what to do when pods fail.
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy
func validateFailurePolicy(s *batchv1.JobSpec, at *field.Path) (errs field.ErrorList) {
	at = at.Child("rules")
	if n := len(s.PodFailurePolicy.Rules); n > maxRules {
		errs = append(errs, field.TooMany(at, n, maxRules))
	}
	var containers []string
	for _, c := range slices.Concat(s.Template.Spec.Containers, s.Template.Spec.InitContainers) {
		containers = append(containers, c.Name)
	}
	for i := range s.PodFailurePolicy.Rules {
		errs = append(errs, validateFailureRule(s, &s.PodFailurePolicy.Rules[i], containers, at.Index(i))...)
	}
	return errs
}

func validateFailureRule(s *batchv1.JobSpec, r *batchv1.PodFailurePolicyRule, containers []string, at *field.Path) field.ErrorList {
	errs := validateFailureAction(s, r.Action, at.Child("action"))
	if r.OnExitCodes != nil {
		errs = append(errs, validateExitCodes(r.OnExitCodes, containers, at.Child("onExitCodes"))...)
	}
	errs = append(errs, validateConditions(r.OnPodConditions, at.Child("onPodConditions"))...)
	switch codes, conditions := r.OnExitCodes != nil, len(r.OnPodConditions) > 0; {
	case codes && conditions:
		errs = append(errs, field.Invalid(at, field.OmitValueType{}, "specifying both OnExitCodes and OnPodConditions is not supported"))
	case !codes && !conditions:
		errs = append(errs, field.Invalid(at, field.OmitValueType{}, "specifying one of OnExitCodes and OnPodConditions is required"))
	}
	return errs
}

func validateFailureAction(s *batchv1.JobSpec, action batchv1.PodFailurePolicyAction, at *field.Path) field.ErrorList {
	actions := []batchv1.PodFailurePolicyAction{
		batchv1.PodFailurePolicyActionCount, batchv1.PodFailurePolicyActionFailIndex,
		batchv1.PodFailurePolicyActionFailJob, batchv1.PodFailurePolicyActionIgnore,
	}
	switch {
	case action == "":
		return field.ErrorList{field.Required(at, fmt.Sprintf("valid values: %q", actions))}
	case action == batchv1.PodFailurePolicyActionFailIndex && s.BackoffLimitPerIndex == nil:
		return field.ErrorList{field.Invalid(at, action, "requires the backoffLimitPerIndex to be set")}
	}
	return rule.OneOf(action, at, actions...)
}

func validateExitCodes(c *batchv1.PodFailurePolicyOnExitCodesRequirement, containers []string, at *field.Path) (errs field.ErrorList) {
	operators := []batchv1.PodFailurePolicyOnExitCodesOperator{batchv1.PodFailurePolicyOnExitCodesOpIn, batchv1.PodFailurePolicyOnExitCodesOpNotIn}
	if c.Operator == "" {
		errs = append(errs, field.Required(at.Child("operator"), fmt.Sprintf("valid values: %q", operators)))
	} else {
		errs = append(errs, rule.OneOf(c.Operator, at.Child("operator"), operators...)...)
	}
	if c.ContainerName != nil && !slices.Contains(containers, *c.ContainerName) {
		errs = append(errs, field.Invalid(at.Child("containerName"), *c.ContainerName, "must be one of the container or initContainer names in the pod template"))
	}
	values := at.Child("values")
	switch n := len(c.Values); {
	case n == 0:
		errs = append(errs, field.Invalid(values, c.Values, "at least one value is required"))
	case n > maxExitCodes:
		errs = append(errs, field.TooMany(values, n, maxExitCodes))
	}
	for i, code := range c.Values {
		if code == 0 && c.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn {
			errs = append(errs, field.Invalid(values.Index(i), code, "must not be 0 for the In operator"))
		}
		if slices.Contains(c.Values[:i], code) {
			errs = append(errs, field.Duplicate(values.Index(i), code))
		}
	}
	if !slices.IsSorted(c.Values) {
		errs = append(errs, field.Invalid(values, c.Values, "must be ordered"))
	}
	return errs
}

func validateConditions(patterns []batchv1.PodFailurePolicyOnPodConditionsPattern, at *field.Path) (errs field.ErrorList) {
	if n := len(patterns); n > maxConditions {
		errs = append(errs, field.TooMany(at, n, maxConditions))
	}
	statuses := []corev1.ConditionStatus{corev1.ConditionFalse, corev1.ConditionTrue, corev1.ConditionUnknown}
	for i, p := range patterns {
		at := at.Index(i)
		errs = append(errs, rule.QualifiedName(string(p.Type), at.Child("type"))...)
		if p.Status == "" {
			errs = append(errs, field.Required(at.Child("status"), fmt.Sprintf("valid values: %q", statuses)))
		} else {
			errs = append(errs, rule.OneOf(p.Status, at.Child("status"), statuses...)...)
		}
	}
	return errs
}
