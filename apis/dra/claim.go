package dra

import (
	"fmt"

	resourcev1 "k8s.io/api/resource/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

// Checker compiles a selector's expression; stored ones were accepted before.
type Checker func(expression string, stored bool, at *field.Path) field.ErrorList

// AdminNamespaceLabel is on namespaces whose claims may ask for devices that others use.
const AdminNamespaceLabel = resourcev1.DRAAdminNamespaceLabelKey

var spec = field.NewPath("spec")

// ValidateClaim checks what a new claim asks for.
func ValidateClaim(c *resourcev1.ResourceClaim, check Checker) field.ErrorList {
	return validateClaim(&c.Spec.Devices, check, spec.Child("devices"))
}

// ValidateClaimUpdate lets nothing change but metadata.
func ValidateClaimUpdate(c, old *resourcev1.ResourceClaim) field.ErrorList {
	return rule.Fixed(c.Spec, old.Spec, spec)
}

// ValidateClaimTemplate checks what claims will be made of.
func ValidateClaimTemplate(t *resourcev1.ResourceClaimTemplate, check Checker) field.ErrorList {
	meta := spec.Child("metadata")
	errs := apivalidation.ValidateAnnotations(t.Spec.Annotations, meta.Child("annotations"))
	errs = append(errs, metav1validation.ValidateLabels(t.Spec.Labels, meta.Child("labels"))...)
	return append(errs, validateClaim(&t.Spec.Spec.Devices, check, spec.Child("spec", "devices"))...)
}

// ValidateClaimTemplateUpdate checks the template, and lets nothing change but metadata.
func ValidateClaimTemplateUpdate(t, old *resourcev1.ResourceClaimTemplate, check Checker) field.ErrorList {
	return append(ValidateClaimTemplate(t, check), rule.Immutable(t.Spec, old.Spec, spec)...)
}

// AdminAccess is the path of the first request for devices that others may use, nil if there is none.
func AdminAccess(all []resourcev1.DeviceRequest) *field.Path {
	for i := range all {
		if e := all[i].Exactly; e != nil && isTrue(e.AdminAccess) {
			return spec.Child("devices", "requests").Index(i).Child("adminAccess")
		}
	}
	return nil
}

func validateClaim(c *resourcev1.DeviceClaim, check Checker, at *field.Path) field.ErrorList {
	names := requestsOf(c)
	errs := eachOnce(c.Requests, resourcev1.DeviceRequestsMaxSize, check.request, func(r *resourcev1.DeviceRequest) string { return r.Name }, at.Child("requests"))
	errs = append(errs, each(c.Constraints, resourcev1.DeviceConstraintsMaxSize, names.constraint, at.Child("constraints"))...)
	return append(errs, each(c.Config, resourcev1.DeviceConfigMaxSize, func(config *resourcev1.DeviceClaimConfiguration, at *field.Path) field.ErrorList {
		errs := names.list(config.Requests, at.Child("requests"))
		return append(errs, validateConfiguration(&config.DeviceConfiguration, false, at)...)
	}, at.Child("config"))...)
}

func (r requests) list(names []string, at *field.Path) field.ErrorList {
	return eachOnce(names, resourcev1.DeviceRequestsMaxSize, r.validate, itself, at)
}

func (r requests) constraint(c *resourcev1.DeviceConstraint, at *field.Path) field.ErrorList {
	errs := r.list(c.Requests, at.Child("requests"))
	switch {
	case c.MatchAttribute != nil:
		return append(errs, validateFullyQualified(string(*c.MatchAttribute), at.Child("matchAttribute"))...)
	case c.DistinctAttribute != nil:
		return append(errs, validateFullyQualified(string(*c.DistinctAttribute), at.Child("distinctAttribute"))...)
	}
	return append(errs, field.Required(at, `exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set`))
}

func validateConfiguration(c *resourcev1.DeviceConfiguration, stored bool, at *field.Path) field.ErrorList {
	at = at.Child("opaque")
	if c.Opaque == nil {
		return field.ErrorList{field.Required(at, "")}
	}
	return append(rule.DriverNameOfAnyCase(c.Opaque.Driver, at.Child("driver")),
		validateObject(c.Opaque.Parameters, stored, resourcev1.OpaqueParametersMaxLength, at.Child("parameters"))...)
}

func (check Checker) request(r *resourcev1.DeviceRequest, at *field.Path) field.ErrorList {
	errs := rule.DNSLabel(r.Name, at.Child("name"))
	const detail = "exactly one of `exactly` or `firstAvailable` is required"
	switch exactly, alternatives := r.Exactly != nil, len(r.FirstAvailable) > 0; {
	case !exactly && !alternatives:
		return append(errs, field.Required(at, detail))
	case exactly && alternatives:
		return append(errs, field.Invalid(at, nil, detail+", but multiple fields are set"))
	case exactly:
		e := r.Exactly
		return append(errs, check.devices(e.DeviceClassName, e.Selectors, e.AllocationMode, e.Count, e.Tolerations, at.Child("exactly"))...)
	}
	return append(errs, eachOnce(r.FirstAvailable, resourcev1.FirstAvailableDeviceRequestMaxSize,
		func(s *resourcev1.DeviceSubRequest, at *field.Path) field.ErrorList {
			return append(rule.DNSLabel(s.Name, at.Child("name")), check.devices(s.DeviceClassName, s.Selectors, s.AllocationMode, s.Count, s.Tolerations, at)...)
		}, func(s *resourcev1.DeviceSubRequest) string { return s.Name }, at.Child("firstAvailable"))...)
}

func (check Checker) devices(class string, selectors []resourcev1.DeviceSelector, mode resourcev1.DeviceAllocationMode, count int64,
	tolerations []resourcev1.DeviceToleration, at *field.Path) (errs field.ErrorList) {
	if class == "" {
		errs = append(errs, field.Required(at.Child("deviceClassName"), ""))
	} else {
		errs = append(errs, rule.DNSSubdomain(class, at.Child("deviceClassName"))...)
	}
	errs = append(errs, check.selectors(selectors, false, at.Child("selectors"))...)
	switch counted := at.Child("count"); mode {
	case resourcev1.DeviceAllocationModeAll:
		if count != 0 {
			errs = append(errs, field.Invalid(counted, count, fmt.Sprintf("must not be specified when allocationMode is '%s'", mode)))
		}
	case resourcev1.DeviceAllocationModeExactCount:
		if count <= 0 {
			errs = append(errs, field.Invalid(counted, count, "must be greater than zero"))
		}
	default:
		errs = append(errs, rule.OneOf(mode, at.Child("allocationMode"), resourcev1.DeviceAllocationModeAll, resourcev1.DeviceAllocationModeExactCount)...)
	}
	return append(errs, each(tolerations, resourcev1.DeviceTolerationsMaxLength, validateToleration, at.Child("tolerations"))...)
}

func (check Checker) selectors(selectors []resourcev1.DeviceSelector, stored bool, at *field.Path) field.ErrorList {
	return each(selectors, resourcev1.DeviceSelectorsMaxSize, func(s *resourcev1.DeviceSelector, at *field.Path) field.ErrorList {
		at = at.Child("cel")
		if s.CEL == nil {
			return field.ErrorList{field.Required(at, "")}
		}
		if most := resourcev1.CELSelectorExpressionMaxLength; len(s.CEL.Expression) > most {
			return field.ErrorList{field.TooLong(at.Child("expression"), "", most)}
		}
		return check(s.CEL.Expression, stored, at.Child("expression"))
	}, at)
}

func validateToleration(t *resourcev1.DeviceToleration, at *field.Path) (errs field.ErrorList) {
	if t.Key != "" {
		errs = append(errs, metav1validation.ValidateLabelName(t.Key, at.Child("key"))...)
	}
	switch t.Operator {
	case resourcev1.DeviceTolerationOpExists:
		if t.Value != "" {
			errs = append(errs, field.Invalid(at.Child("value"), t.Value, "must be empty for operator `Exists`"))
		}
	case resourcev1.DeviceTolerationOpEqual:
		errs = append(errs, rule.Invalid(at.Child("value"), t.Value, validation.IsValidLabelValue(t.Value))...)
	default:
		errs = append(errs, rule.RequiredOneOf(t.Operator, at.Child("operator"), resourcev1.DeviceTolerationOpEqual, resourcev1.DeviceTolerationOpExists)...)
	}
	if t.Effect != "" {
		errs = append(errs, validateEffect(t.Effect, at.Child("effect"))...)
	}
	return errs
}

func validateEffect(e resourcev1.DeviceTaintEffect, at *field.Path) field.ErrorList {
	return rule.RequiredOneOf(e, at, resourcev1.DeviceTaintEffectNoExecute, resourcev1.DeviceTaintEffectNoSchedule, resourcev1.DeviceTaintEffectNone)
}
