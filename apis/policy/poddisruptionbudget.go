// Package policy says what the objects of the policy group mean.
package policy

import (
	policyv1 "k8s.io/api/policy/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

// ValidatePodDisruptionBudget checks the limits.
// https://kubernetes.io/docs/concepts/workloads/pods/disruptions/
func ValidatePodDisruptionBudget(b *policyv1.PodDisruptionBudget) (errs field.ErrorList) {
	at, s := field.NewPath("spec"), &b.Spec
	if s.MinAvailable != nil && s.MaxUnavailable != nil {
		errs = append(errs, field.Invalid(at, *s, "minAvailable and maxUnavailable cannot be both set"))
	}
	amount := func(n *intstr.IntOrString, at *field.Path) {
		if n != nil {
			errs = append(errs, rule.IntOrPercent(*n, at)...)
			errs = append(errs, rule.AtMost100Percent(*n, at)...)
		}
	}
	amount(s.MinAvailable, at.Child("minAvailable"))
	amount(s.MaxUnavailable, at.Child("maxUnavailable"))
	errs = append(errs, rule.Selector(s.Selector, at.Child("selector"))...)
	if p := s.UnhealthyPodEvictionPolicy; p != nil {
		errs = append(errs, rule.OneOf(*p, at.Child("unhealthyPodEvictionPolicy"), policyv1.AlwaysAllow, policyv1.IfHealthyBudget)...)
	}
	return errs
}

// ValidatePodDisruptionBudgetStatus checks counts and conditions.
func ValidatePodDisruptionBudgetStatus(b, _ *policyv1.PodDisruptionBudget) field.ErrorList {
	at, s := field.NewPath("status"), &b.Status
	errs := metav1validation.ValidateConditions(s.Conditions, at.Child("conditions"))
	errs = append(errs, rule.NonNegative(s.DisruptionsAllowed, at.Child("disruptionsAllowed"))...)
	errs = append(errs, rule.NonNegative(s.CurrentHealthy, at.Child("currentHealthy"))...)
	errs = append(errs, rule.NonNegative(s.DesiredHealthy, at.Child("desiredHealthy"))...)
	return append(errs, rule.NonNegative(s.ExpectedPods, at.Child("expectedPods"))...)
}
