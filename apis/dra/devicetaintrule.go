package dra

import (
	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

// DefaultTaintRule says that a taint without a time was added now.
func DefaultTaintRule(r *resourcev1.DeviceTaintRule, now metav1.Time) {
	if r.Spec.Taint.TimeAdded == nil {
		r.Spec.Taint.TimeAdded = new(now.Rfc3339Copy())
	}
}

// TimeEffect dates a taint whose effect changed, unless the client did: how long it is tolerated counts from then.
func TimeEffect(r, old *resourcev1.DeviceTaintRule, now metav1.Time) {
	if r.Spec.Taint.Effect != old.Spec.Taint.Effect && r.Spec.Taint.TimeAdded.Equal(old.Spec.Taint.TimeAdded) {
		r.Spec.Taint.TimeAdded = new(now.Rfc3339Copy())
	}
}

// ValidateTaintRule checks which devices get which taint; old is nil on create. An effect that this version does not know may stay.
func ValidateTaintRule(r, old *resourcev1.DeviceTaintRule) (errs field.ErrorList) {
	selector, taint := spec.Child("deviceSelector"), spec.Child("taint")
	if s := r.Spec.DeviceSelector; s != nil {
		if s.Driver != nil {
			errs = append(errs, rule.DriverName(*s.Driver, selector.Child("driver"))...)
		}
		if s.Pool != nil {
			errs = append(errs, validatePool(*s.Pool, selector.Child("pool"))...)
		}
		if s.Device != nil {
			errs = append(errs, rule.DNSLabel(*s.Device, selector.Child("device"))...)
		}
	}
	errs = append(errs, validateTaintKey(&r.Spec.Taint, taint)...)
	if old == nil || old.Spec.Taint.Effect != r.Spec.Taint.Effect {
		errs = append(errs, validateEffect(r.Spec.Taint.Effect, taint.Child("effect"))...)
	}
	return errs
}

// ValidateTaintRuleStatus checks what has come of the taint.
func ValidateTaintRuleStatus(r, _ *resourcev1.DeviceTaintRule) field.ErrorList {
	at := field.NewPath("status", "conditions")
	errs := metav1validation.ValidateConditions(r.Status.Conditions, at)
	if n := len(r.Status.Conditions); n > resourcev1.DeviceTaintRuleStatusMaxConditions {
		errs = append(errs, field.TooMany(at, n, resourcev1.DeviceTaintRuleStatusMaxConditions))
	}
	return errs
}
