package dra

import (
	"fmt"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const maxValidValues = 10

// validateCapacity checks how much of a device can be asked for: all, unless several may share it.
func validateCapacity(c *resourcev1.DeviceCapacity, shared bool, at *field.Path) field.ErrorList {
	p, at := c.RequestPolicy, at.Child("requestPolicy")
	switch {
	case p == nil:
		return nil
	case !shared:
		return field.ErrorList{field.Forbidden(at, "allowMultipleAllocations must be true")}
	case len(p.ValidValues) > 0 && p.ValidRange != nil:
		return field.ErrorList{field.Forbidden(at, `exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time`)}
	case len(p.ValidValues) > 0 && p.Default == nil:
		return field.ErrorList{field.Required(at.Child("default"), "required when validValues is defined")}
	case len(p.ValidValues) > 0:
		return validateValues(*p.Default, c.Value, p.ValidValues, at.Child("validValues"))
	case p.ValidRange != nil && p.Default == nil:
		return field.ErrorList{field.Required(at.Child("default"), "required when validRange is defined")}
	case p.ValidRange != nil:
		return validateRange(*p.Default, c.Value, p.ValidRange, at.Child("validRange"))
	}
	return nil
}

func validateValues(fallback, whole resource.Quantity, values []resource.Quantity, at *field.Path) (errs field.ErrorList) {
	found := false
	for i := 1; i < len(values); i++ {
		if values[i-1].Cmp(values[i]) > 0 {
			errs = append(errs, field.Invalid(at.Index(i), values[i].String(), "values must be sorted in ascending order"))
		}
	}
	errs = append(errs, eachUnique(values, maxValidValues, func(q *resource.Quantity, at *field.Path) field.ErrorList {
		found = found || q.Cmp(fallback) == 0
		if q.Cmp(whole) > 0 {
			return field.ErrorList{field.Invalid(at, q.String(), "option is larger than capacity value: "+whole.String())}
		}
		return nil
	}, exactly, at)...)
	if !found {
		errs = append(errs, field.Invalid(at, fallback.String(), "default value is not valid according to the requestPolicy"))
	}
	return errs
}

func validateRange(fallback, whole resource.Quantity, r *resourcev1.CapacityRequestPolicyRange, at *field.Path) (errs field.ErrorList) {
	least, most := at.Child("min"), at.Child("max")
	if r.Min == nil {
		return field.ErrorList{field.Required(least, "required when validRange is defined")}
	}
	above := func(q, limit *resource.Quantity, value *resource.Quantity, at *field.Path, detail string) {
		if q.Cmp(*limit) > 0 {
			errs = append(errs, field.Invalid(at, value.String(), detail))
		}
	}
	above(r.Min, &whole, r.Min, least, "min is larger than capacity value: "+whole.String())
	above(r.Min, &fallback, &fallback, at.Child("default"), "default is less than min: "+r.Min.String())
	if r.Max != nil {
		above(r.Min, r.Max, r.Min, most, "min is larger than max: "+r.Max.String())
		above(r.Max, &whole, r.Max, most, "max is larger than capacity value: "+whole.String())
		above(&fallback, r.Max, &fallback, at.Child("default"), "default is more than max: "+r.Max.String())
	}
	parts := fractions(&fallback, r)
	if parts {
		if inexact := eachBound(&fallback, r, at, exactInThousandths); len(inexact) > 0 {
			return append(errs, inexact...)
		}
	}
	if r.Step == nil {
		return errs
	}
	step, next := at.Child("step"), r.Min.DeepCopy()
	if r.Step.Sign() <= 0 {
		return append(errs, field.Invalid(step, r.Step.String(), "must be greater than zero"))
	}
	next.Add(*r.Step)
	above(&next, &whole, r.Step, step, fmt.Sprintf("one step %s is larger than capacity value: %s", next.String(), whole.String()))
	count := (*resource.Quantity).MilliValue
	if !parts {
		if outside := eachBound(&fallback, r, at, countable); len(outside) > 0 {
			return append(errs, outside...)
		}
		count = (*resource.Quantity).Value
	}
	for _, q := range []*resource.Quantity{&fallback, r.Max} {
		if q != nil && (count(q)-count(r.Min))%count(r.Step) != 0 {
			errs = append(errs, field.Invalid(step, q.String(), fmt.Sprintf("value is not a multiple of a given step (%s) from (%s)", r.Step.String(), r.Min.String())))
		}
	}
	return errs
}
