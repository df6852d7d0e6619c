package dra

import (
	"math"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Steps are counted in whole numbers or, where any bound has a fraction, in thousandths.

// exactly tells quantities apart that differ in a fraction only.
func exactly(q *resource.Quantity) string {
	own := q.DeepCopy() // AsDec changes it
	return own.AsDec().String()
}

// bounds are a range's, with the value that is asked for if none is.
func bounds(fallback *resource.Quantity, r *resourcev1.CapacityRequestPolicyRange) map[string]*resource.Quantity {
	return map[string]*resource.Quantity{"default": fallback, "min": r.Min, "max": r.Max, "step": r.Step}
}

func fractions(fallback *resource.Quantity, r *resourcev1.CapacityRequestPolicyRange) bool {
	for _, q := range bounds(fallback, r) {
		if q != nil && q.CmpInt64(math.MaxInt64) <= 0 && q.Cmp(*resource.NewQuantity(q.Value(), q.Format)) != 0 {
			return true
		}
	}
	return false
}

// eachBound collects what is wrong with the bounds.
func eachBound(fallback *resource.Quantity, r *resourcev1.CapacityRequestPolicyRange, at *field.Path, problem func(*resource.Quantity) string) (errs field.ErrorList) {
	all := bounds(fallback, r)
	for _, name := range []string{"default", "min", "max", "step"} {
		if q := all[name]; q != nil {
			if detail := problem(q); detail != "" {
				errs = append(errs, field.Invalid(at.Child(name), q.String(), detail))
			}
		}
	}
	return errs
}

func exactInThousandths(q *resource.Quantity) string {
	if q.Cmp(*resource.NewMilliQuantity(q.MilliValue(), q.Format)) != 0 {
		return "value cannot be represented as a milli value"
	}
	return ""
}

func countable(q *resource.Quantity) string {
	switch {
	case q.Sign() < 0:
		return "must be greater than or equal to 0"
	case q.CmpInt64(math.MaxInt64) > 0:
		return "must not be larger than 9223372036854775807"
	}
	return ""
}
