package autoscaling

import (
	"errors"
	"fmt"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

const (
	maxPolicyPeriod  = 1800
	maxStabilization = 3600
)

// strictness says which mistakes are reported: those that the stored object had already may stay.
type strictness struct {
	targetVersion, targetGroup, objectVersion bool
}

// Validate checks a new autoscaler.
func Validate(h *autoscalingv2.HorizontalPodAutoscaler) field.ErrorList {
	return validate(&h.Spec, strictness{targetVersion: true, targetGroup: hasGroup(h), objectVersion: true})
}

// ValidateUpdate checks a changed autoscaler.
func ValidateUpdate(h, old *autoscalingv2.HorizontalPodAutoscaler) field.ErrorList {
	target, was := &h.Spec.ScaleTargetRef, &old.Spec.ScaleTargetRef
	return validate(&h.Spec, strictness{
		targetVersion: target.APIVersion != was.APIVersion || target.Kind != was.Kind,
		targetGroup:   hasGroup(h),
		objectVersion: !slices.ContainsFunc(old.Spec.Metrics, func(m autoscalingv2.MetricSpec) bool {
			return m.Type == autoscalingv2.ObjectMetricSourceType && m.Object != nil && checkVersion(m.Object.DescribedObject.APIVersion, false) != nil
		}),
	})
}

// hasGroup: what can be scaled has an API group, but for what came before there were any.
func hasGroup(h *autoscalingv2.HorizontalPodAutoscaler) bool {
	return h.Spec.ScaleTargetRef.Kind != "ReplicationController"
}

// ValidateStatus checks the counts.
func ValidateStatus(h, _ *autoscalingv2.HorizontalPodAutoscaler) field.ErrorList {
	at := field.NewPath("status")
	errs := append(rule.NonNegative(h.Status.CurrentReplicas, at.Child("currentReplicas")), rule.NonNegative(h.Status.DesiredReplicas, at.Child("desiredReplicas"))...)
	for i, c := range h.Status.Conditions {
		errs = append(errs, rule.NonNegativeIfSet(c.ObservedGeneration, at.Child("conditions").Index(i).Child("observedGeneration"))...)
	}
	return errs
}

func validate(s *autoscalingv2.HorizontalPodAutoscalerSpec, strict strictness) (errs field.ErrorList) {
	spec := field.NewPath("spec")
	if n := s.MinReplicas; n != nil && *n < 0 {
		errs = append(errs, field.Invalid(spec.Child("minReplicas"), *n, "must be greater than or equal to 0"))
	}
	most := spec.Child("maxReplicas")
	if s.MinReplicas != nil && s.MaxReplicas < *s.MinReplicas {
		errs = append(errs, field.Invalid(most, s.MaxReplicas, "must be greater than or equal to `minReplicas`"))
	}
	errs = append(errs, validateReference(&s.ScaleTargetRef, strict.targetVersion, strict.targetGroup, spec.Child("scaleTargetRef"))...)
	errs = append(errs, validateMetrics(s, strict.objectVersion, spec.Child("metrics"))...)
	if b, at := s.Behavior, spec.Child("behavior"); b != nil {
		errs = append(errs, validateRules(b.ScaleUp, at.Child("scaleUp"))...)
		errs = append(errs, validateRules(b.ScaleDown, at.Child("scaleDown"))...)
	}
	switch n := s.MaxReplicas; {
	case n == 0:
		errs = append(errs, field.Required(most, ""))
	case n < 0:
		errs = append(errs, field.Invalid(most, n, "must be greater than or equal to 1"))
	}
	return errs
}

func validateReference(r *autoscalingv2.CrossVersionObjectReference, version, group bool, at *field.Path) field.ErrorList {
	errs := append(rule.RequiredPathSegment(r.Kind, at.Child("kind")), rule.RequiredPathSegment(r.Name, at.Child("name"))...)
	if !version {
		return errs
	}
	if err := checkVersion(r.APIVersion, group); err != nil {
		errs = append(errs, field.Invalid(at.Child("apiVersion"), r.APIVersion, err.Error()))
	}
	return errs
}

func checkVersion(version string, group bool) error {
	gv, err := schema.ParseGroupVersion(version)
	if err == nil && group && gv.Group == "" {
		return errors.New("apiVersion must specify API group")
	}
	return err
}

func validateRules(r *autoscalingv2.HPAScalingRules, at *field.Path) (errs field.ErrorList) {
	if r == nil {
		return nil
	}
	if n, at := r.StabilizationWindowSeconds, at.Child("stabilizationWindowSeconds"); n != nil {
		switch {
		case *n < 0:
			errs = append(errs, field.Invalid(at, *n, "must be greater than or equal to zero"))
		case *n > maxStabilization:
			errs = append(errs, field.Invalid(at, *n, fmt.Sprintf("must be less than or equal to %v", maxStabilization)))
		}
	}
	if p := r.SelectPolicy; p != nil {
		errs = append(errs, rule.OneOf(*p, at.Child("selectPolicy"), autoscalingv2.DisabledPolicySelect, autoscalingv2.MaxChangePolicySelect, autoscalingv2.MinChangePolicySelect)...)
	}
	policies := at.Child("policies")
	if len(r.Policies) == 0 {
		errs = append(errs, field.Required(policies, "must specify at least one Policy"))
	}
	for i := range r.Policies {
		errs = append(errs, validatePolicy(&r.Policies[i], policies.Index(i))...)
	}
	if r.Tolerance != nil {
		errs = append(errs, rule.NonNegativeQuantity(*r.Tolerance, at.Child("tolerance"))...)
	}
	return errs
}

func validatePolicy(p *autoscalingv2.HPAScalingPolicy, at *field.Path) field.ErrorList {
	errs := rule.OneOf(p.Type, at.Child("type"), autoscalingv2.PercentScalingPolicy, autoscalingv2.PodsScalingPolicy)
	if p.Value <= 0 {
		errs = append(errs, field.Invalid(at.Child("value"), p.Value, "must be greater than zero"))
	}
	switch period := at.Child("periodSeconds"); {
	case p.PeriodSeconds <= 0:
		errs = append(errs, field.Invalid(period, p.PeriodSeconds, "must be greater than zero"))
	case p.PeriodSeconds > maxPolicyPeriod:
		errs = append(errs, field.Invalid(period, p.PeriodSeconds, fmt.Sprintf("must be less than or equal to %v", maxPolicyPeriod)))
	}
	return errs
}
