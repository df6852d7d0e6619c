// Package coordination says what the objects of coordination.k8s.io mean.
package coordination

import (
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/feature"
)

// ValidateLease checks the counters. https://kubernetes.io/docs/concepts/architecture/leases/
func ValidateLease(l *coordinationv1.Lease) field.ErrorList {
	var errs field.ErrorList
	spec := field.NewPath("spec")
	if d := l.Spec.LeaseDurationSeconds; d != nil && *d <= 0 {
		errs = append(errs, field.Invalid(spec.Child("leaseDurationSeconds"), *d, "must be greater than 0"))
	}
	if n := l.Spec.LeaseTransitions; n != nil && *n < 0 {
		errs = append(errs, field.Invalid(spec.Child("leaseTransitions"), *n, "must be greater than or equal to 0"))
	}
	return errs
}

// GatedLease are the fields of coordinated leader election.
func GatedLease() []feature.Field[*coordinationv1.Lease] {
	return []feature.Field[*coordinationv1.Lease]{{
		Gate:  feature.CoordinatedLeaderElection,
		InUse: func(l *coordinationv1.Lease) bool { return l.Spec.Strategy != nil },
		Drop:  func(l *coordinationv1.Lease) { l.Spec.Strategy = nil },
	}, {
		Gate:  feature.CoordinatedLeaderElection,
		InUse: func(l *coordinationv1.Lease) bool { return l.Spec.PreferredHolder != nil },
		Drop:  func(l *coordinationv1.Lease) { l.Spec.PreferredHolder = nil },
	}}
}
