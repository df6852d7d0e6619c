package apps

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/apis/rule"
)

// DefaultDeployment makes one replica, rolled by a quarter at a time.
// https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
func DefaultDeployment(d *appsv1.Deployment) {
	core.DefaultPodTemplate(&d.Spec.Template)
	orDefault(&d.Spec.Replicas, 1)
	orDefault(&d.Spec.RevisionHistoryLimit, historyLimit)
	orDefault(&d.Spec.ProgressDeadlineSeconds, 600)
	strategy := &d.Spec.Strategy
	if strategy.Type == "" {
		strategy.Type = appsv1.RollingUpdateDeploymentStrategyType
	}
	if strategy.Type == appsv1.RollingUpdateDeploymentStrategyType {
		orDefault(&strategy.RollingUpdate, appsv1.RollingUpdateDeployment{})
		orDefault(&strategy.RollingUpdate.MaxUnavailable, intstr.FromString("25%"))
		orDefault(&strategy.RollingUpdate.MaxSurge, intstr.FromString("25%"))
	}
}

// ValidateDeployment checks the spec.
func ValidateDeployment(d *appsv1.Deployment) field.ErrorList {
	s := &d.Spec
	errs := slices.Concat(
		rule.NonNegativeIfSet(s.Replicas, spec.Child("replicas")),
		validateSelector(s.Selector, "deployment", spec.Child("selector")),
	)
	match, parsed := validateMatch(s.Selector, &s.Template, spec, "invalid label selector")
	if errs = append(errs, match...); parsed {
		errs = append(errs, core.ValidatePodTemplate(&s.Template, spec.Child("template"))...)
		errs = append(errs, validateEndless(&s.Template.Spec, "ReplicaSet", spec.Child("template", "spec"))...)
	}
	errs = slices.Concat(errs,
		validateDeploymentStrategy(&s.Strategy, spec.Child("strategy")),
		rule.NonNegative(s.MinReadySeconds, spec.Child("minReadySeconds")),
		rule.NonNegativeIfSet(s.RevisionHistoryLimit, spec.Child("revisionHistoryLimit")),
	)
	if deadline, at := s.ProgressDeadlineSeconds, spec.Child("progressDeadlineSeconds"); deadline != nil {
		errs = append(errs, rule.NonNegative(*deadline, at)...)
		if *deadline <= s.MinReadySeconds {
			errs = append(errs, field.Invalid(at, *deadline, "must be greater than minReadySeconds"))
		}
	}
	return errs
}

func validateDeploymentStrategy(s *appsv1.DeploymentStrategy, at *field.Path) field.ErrorList {
	switch s.Type {
	case appsv1.RecreateDeploymentStrategyType:
		if s.RollingUpdate != nil {
			return field.ErrorList{field.Forbidden(at.Child("rollingUpdate"), "may not be specified when strategy `type` is 'Recreate'")}
		}
		return nil
	case appsv1.RollingUpdateDeploymentStrategyType:
		return validateRollingDeployment(s.RollingUpdate, at.Child("rollingUpdate"))
	}
	return field.ErrorList{field.NotSupported(at, s, []string{string(appsv1.RecreateDeploymentStrategyType), string(appsv1.RollingUpdateDeploymentStrategyType)})}
}

func validateRollingDeployment(u *appsv1.RollingUpdateDeployment, at *field.Path) field.ErrorList {
	if u == nil || u.MaxUnavailable == nil || u.MaxSurge == nil {
		return field.ErrorList{field.Required(at, "this should be defaulted and never be nil")}
	}
	unavailable := at.Child("maxUnavailable")
	errs := append(rule.IntOrPercent(*u.MaxUnavailable, unavailable), rule.IntOrPercent(*u.MaxSurge, at.Child("maxSurge"))...)
	if rule.Amount(*u.MaxUnavailable) == 0 && rule.Amount(*u.MaxSurge) == 0 {
		errs = append(errs, field.Invalid(unavailable, *u.MaxUnavailable, "may not be 0 when `maxSurge` is 0"))
	}
	return append(errs, rule.AtMost100Percent(*u.MaxUnavailable, unavailable)...)
}

// ValidateDeploymentUpdate checks the spec, and keeps the selector.
func ValidateDeploymentUpdate(d, old *appsv1.Deployment) field.ErrorList {
	return append(ValidateDeployment(d), rule.Immutable(d.Spec.Selector, old.Spec.Selector, spec.Child("selector"))...)
}

// ValidateDeploymentStatus checks that the counts fit one another.
func ValidateDeploymentStatus(d, old *appsv1.Deployment) field.ErrorList {
	s := &d.Status
	return slices.Concat(
		rule.NonNegative(s.ObservedGeneration, status.Child("observedGeneration")),
		rule.NonNegative(s.Replicas, status.Child("replicas")),
		rule.NonNegative(s.UpdatedReplicas, status.Child("updatedReplicas")),
		rule.NonNegative(s.ReadyReplicas, status.Child("readyReplicas")),
		rule.NonNegative(s.AvailableReplicas, status.Child("availableReplicas")),
		rule.NonNegative(s.UnavailableReplicas, status.Child("unavailableReplicas")),
		rule.NonNegativeIfSet(s.TerminatingReplicas, status.Child("terminatingReplicas")),
		rule.NonNegativeIfSet(s.CollisionCount, status.Child("collisionCount")),
		atMost(s.UpdatedReplicas, s.Replicas, status.Child("updatedReplicas"), "status.replicas"),
		atMost(s.ReadyReplicas, s.Replicas, status.Child("readyReplicas"), "status.replicas"),
		atMost(s.AvailableReplicas, s.Replicas, status.Child("availableReplicas"), "status.replicas"),
		atMost(s.AvailableReplicas, s.ReadyReplicas, status.Child("availableReplicas"), "readyReplicas"),
		validateCollisions(s.CollisionCount, old.Status.CollisionCount),
	)
}
