package dra

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/apis/rule"
)

// validateDevice checks one device of a slice; old is nil for one that is new.
func validateDevice(d, old *resourcev1.Device, ownNodes bool, at *field.Path) field.ErrorList {
	errs := rule.DNSLabel(d.Name, at.Child("name"))
	if n, most := len(d.Attributes)+len(d.Capacity), resourcev1.ResourceSliceMaxAttributesAndCapacitiesPerDevice; n > most {
		errs = append(errs, field.Invalid(at, n, fmt.Sprintf("the total number of attributes and capacities must not exceed %d", most)))
	}
	if n, most := countValues(d), resourcev1.ResourceSliceMaxAttributeValuesPerDevice; n > most {
		errs = append(errs, field.Invalid(at, n, fmt.Sprintf("the total number of attribute values must not exceed %d", most)))
	}
	for name, a := range d.Attributes {
		attributes := at.Child("attributes")
		errs = append(errs, validateQualified(string(name), attributes)...)
		errs = append(errs, validateAttribute(&a, attributes.Key(string(name)))...)
	}
	for name, c := range d.Capacity {
		capacity := at.Child("capacity")
		errs = append(errs, validateQualified(string(name), capacity)...)
		errs = append(errs, validateCapacity(&c, isTrue(d.AllowMultipleAllocations), capacity.Key(string(name)))...)
	}
	if old == nil || !apiequality.Semantic.DeepEqual(old.Taints, d.Taints) {
		errs = append(errs, each(d.Taints, resourcev1.DeviceTaintsMaxLength, validateTaint, at.Child("taints"))...)
	}
	errs = append(errs, eachOnce(d.ConsumesCounters, resourcev1.ResourceSliceMaxDeviceCounterConsumptionsPerDevice, func(c *resourcev1.DeviceCounterConsumption, at *field.Path) field.ErrorList {
		return validateCounters(c.CounterSet, c.Counters, resourcev1.ResourceSliceMaxCountersPerDeviceCounterConsumption, at.Child("counterSet"), at.Child("counters"))
	}, func(c *resourcev1.DeviceCounterConsumption) string { return c.CounterSet }, at.Child("consumesCounters"))...)
	return slices.Concat(errs,
		validateNodes(d, ownNodes, at),
		validateBinding(d.BindingConditions, d.BindingFailureConditions, at),
		validateNodeResources(d.NodeAllocatableResources, d.Capacity, at.Child("nodeAllocatableResources")),
	)
}

func countValues(d *resourcev1.Device) (n int) {
	for _, a := range d.Attributes {
		n += max(1, len(a.BoolValues)+len(a.IntValues)+len(a.StringValues)+len(a.VersionValues))
	}
	return n
}

// validateNodes requires exactly one way of saying which nodes can use the device, if devices of the slice differ in that.
func validateNodes(d *resourcev1.Device, own bool, at *field.Path) (errs field.ErrorList) {
	if !own {
		if d.NodeName != nil || d.NodeSelector != nil || d.AllNodes != nil {
			errs = append(errs, field.Invalid(at, nil, "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec"))
		}
		return errs
	}
	var set []string
	if d.NodeName != nil && *d.NodeName == "" {
		errs = append(errs, field.Invalid(at.Child("nodeName"), *d.NodeName, "must not be empty"))
	} else if d.NodeName != nil {
		set = append(set, "`nodeName`")
		errs = append(errs, rule.DNSSubdomain(*d.NodeName, at.Child("nodeName"))...)
	}
	if d.NodeSelector != nil {
		set = append(set, "`nodeSelector`")
		errs = append(errs, core.ValidateNodeSelector(d.NodeSelector, at.Child("nodeSelector"))...)
	}
	if isTrue(d.AllNodes) {
		set = append(set, "`allNodes`")
	} else if d.AllNodes != nil {
		errs = append(errs, field.Invalid(at.Child("allNodes"), *d.AllNodes, "must be either unset or set to true"))
	}
	const detail = "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec"
	switch len(set) {
	case 0:
		errs = append(errs, field.Required(at, detail))
	case 1:
	default:
		errs = append(errs, field.Invalid(at, "{"+strings.Join(set, ", ")+"}", detail))
	}
	return errs
}

var semanticVersion = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)` +
	`(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?` +
	`(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$`)

func validateAttribute(a *resourcev1.DeviceAttribute, at *field.Path) (errs field.ErrorList) {
	values := 0
	have := func(set bool, check func()) {
		if set {
			values++
			check()
		}
	}
	list := func(n int, value any, name string) func() {
		return func() {
			if n == 0 {
				errs = append(errs, field.Invalid(at.Child(name), value, "must not be empty if specified"))
			}
		}
	}
	have(a.BoolValue != nil, func() {})
	have(a.IntValue != nil, func() {})
	have(a.StringValue != nil, func() { errs = append(errs, validateText(a.StringValue, at.Child("string"))...) })
	have(a.VersionValue != nil, func() { errs = append(errs, validateVersion(a.VersionValue, at.Child("version"))...) })
	have(a.BoolValues != nil, list(len(a.BoolValues), a.BoolValues, "bools"))
	have(a.IntValues != nil, list(len(a.IntValues), a.IntValues, "ints"))
	have(a.StringValues != nil, list(len(a.StringValues), a.StringValues, "strings"))
	have(a.VersionValues != nil, list(len(a.VersionValues), a.VersionValues, "versions"))
	errs = append(errs, each(a.StringValues, len(a.StringValues), validateText, at.Child("strings"))...)
	errs = append(errs, each(a.VersionValues, len(a.VersionValues), validateVersion, at.Child("versions"))...)
	switch {
	case values == 0:
		errs = append(errs, field.Invalid(at, "", "must specify one of: `int`, `bool`, `string`, `version`, `ints`, `bools`, `strings`, `versions`"))
	case values > 1:
		errs = append(errs, field.Invalid(at, a, "exactly one value must be specified"))
	}
	return errs
}

func validateText(text *string, at *field.Path) field.ErrorList {
	if most := resourcev1.DeviceAttributeMaxValueLength; len(*text) > most {
		return field.ErrorList{field.TooLong(at, "", most)}
	}
	return nil
}

func validateVersion(text *string, at *field.Path) (errs field.ErrorList) {
	if !semanticVersion.MatchString(*text) {
		errs = append(errs, field.Invalid(at, *text, "must be a string compatible with semver.org spec 2.0.0"))
	}
	return append(errs, validateText(text, at)...)
}

func validateTaint(t *resourcev1.DeviceTaint, at *field.Path) field.ErrorList {
	return append(validateTaintKey(t, at), validateEffect(t.Effect, at.Child("effect"))...)
}

func validateTaintKey(t *resourcev1.DeviceTaint, at *field.Path) field.ErrorList {
	errs := metav1validation.ValidateLabelName(t.Key, at.Child("key"))
	if t.Value != "" {
		errs = append(errs, rule.Invalid(at.Child("value"), t.Value, validation.IsValidLabelValue(t.Value))...)
	}
	return errs
}

// validateBinding checks the conditions that a driver sets before a pod is bound, and those that say it cannot be.
func validateBinding(conditions, failures []string, at *field.Path) field.ErrorList {
	ready, failed := at.Child("bindingConditions"), at.Child("bindingFailureConditions")
	label := func(name *string, at *field.Path) field.ErrorList {
		return metav1validation.ValidateLabelName(*name, at)
	}
	errs := slices.Concat(
		each(conditions, resourcev1.BindingConditionsMaxSize, label, ready),
		each(failures, resourcev1.BindingFailureConditionsMaxSize, label, failed),
		unique(conditions, itself, shown, ready),
		unique(failures, itself, shown, failed),
	)
	for i, name := range failures {
		if slices.Contains(conditions, name) {
			errs = append(errs, field.Invalid(failed.Index(i), name, "bindingFailureConditions must not overlap with bindingConditions"))
		}
	}
	if len(conditions) == 0 && len(failures) > 0 {
		errs = append(errs, field.Invalid(ready, conditions, "bindingConditions are required to use bindingFailureConditions"))
	}
	if len(failures) == 0 && len(conditions) > 0 {
		errs = append(errs, field.Invalid(failed, failures, "bindingFailureConditions are required to use bindingConditions"))
	}
	return errs
}
