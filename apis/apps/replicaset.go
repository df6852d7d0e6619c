package apps

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/apis/rule"
)

// DefaultReplicaSet makes one replica, labelled as its pods.
// https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/
func DefaultReplicaSet(rs *appsv1.ReplicaSet) {
	core.DefaultPodTemplate(&rs.Spec.Template)
	orDefault(&rs.Spec.Replicas, 1)
}

// ValidateReplicaSet checks the spec.
func ValidateReplicaSet(rs *appsv1.ReplicaSet) field.ErrorList {
	s := &rs.Spec
	errs := slices.Concat(
		rule.NonNegativeIfSet(s.Replicas, spec.Child("replicas")),
		rule.NonNegative(s.MinReadySeconds, spec.Child("minReadySeconds")),
		validateSelector(s.Selector, "deployment", spec.Child("selector")),
	)
	match, parsed := validateMatch(s.Selector, &s.Template, spec, "invalid label selector")
	if errs = append(errs, match...); parsed {
		errs = append(errs, core.ValidatePodTemplate(&s.Template, spec.Child("template"))...)
		errs = append(errs, validateEndless(&s.Template.Spec, "ReplicaSet", spec.Child("template", "spec"))...)
	}
	return errs
}

// ValidateReplicaSetUpdate checks the spec, and keeps the selector.
func ValidateReplicaSetUpdate(rs, old *appsv1.ReplicaSet) field.ErrorList {
	return append(ValidateReplicaSet(rs), rule.Immutable(rs.Spec.Selector, old.Spec.Selector, spec.Child("selector"))...)
}

// ValidateReplicaSetStatus checks that the counts fit one another.
func ValidateReplicaSetStatus(rs, _ *appsv1.ReplicaSet) field.ErrorList {
	s := &rs.Status
	return slices.Concat(
		rule.NonNegative(s.Replicas, status.Child("replicas")),
		rule.NonNegative(s.FullyLabeledReplicas, status.Child("fullyLabeledReplicas")),
		rule.NonNegative(s.ReadyReplicas, status.Child("readyReplicas")),
		rule.NonNegative(s.AvailableReplicas, status.Child("availableReplicas")),
		rule.NonNegative(s.ObservedGeneration, status.Child("observedGeneration")),
		rule.NonNegativeIfSet(s.TerminatingReplicas, status.Child("terminatingReplicas")),
		atMost(s.FullyLabeledReplicas, s.Replicas, status.Child("fullyLabeledReplicas"), "status.replicas"),
		atMost(s.ReadyReplicas, s.Replicas, status.Child("readyReplicas"), "status.replicas"),
		atMost(s.AvailableReplicas, s.Replicas, status.Child("availableReplicas"), "status.replicas"),
		atMost(s.AvailableReplicas, s.ReadyReplicas, status.Child("availableReplicas"), "readyReplicas"),
	)
}
