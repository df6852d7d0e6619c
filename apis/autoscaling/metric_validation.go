package autoscaling

import (
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/apis/rule"
)

func validateMetrics(s *autoscalingv2.HorizontalPodAutoscalerSpec, objectVersion bool, at *field.Path) (errs field.ErrorList) {
	wakes := false
	for i := range s.Metrics {
		m := &s.Metrics[i]
		errs = append(errs, validateMetric(m, objectVersion, at.Index(i))...)
		wakes = wakes || m.Type == autoscalingv2.ObjectMetricSourceType || m.Type == autoscalingv2.ExternalMetricSourceType
	}
	if s.MinReplicas != nil && *s.MinReplicas == 0 && !wakes {
		errs = append(errs, field.Forbidden(at, "must specify at least one Object or External metric to support scaling to zero replicas"))
	}
	return errs
}

// source is one of the fields of a metric, of which its type allows one.
type source struct {
	name  string
	kind  autoscalingv2.MetricSourceType
	set   bool
	check func(at *field.Path) field.ErrorList
}

func validateMetric(m *autoscalingv2.MetricSpec, objectVersion bool, at *field.Path) (errs field.ErrorList) {
	if m.Type == "" {
		errs = append(errs, field.Required(at.Child("type"), "must specify a metric source type"))
	}
	sources := []source{
		{"object", autoscalingv2.ObjectMetricSourceType, m.Object != nil, func(at *field.Path) field.ErrorList { return validateObject(m.Object, objectVersion, at) }},
		{"external", autoscalingv2.ExternalMetricSourceType, m.External != nil, func(at *field.Path) field.ErrorList { return validateExternal(m.External, at) }},
		{"pods", autoscalingv2.PodsMetricSourceType, m.Pods != nil, func(at *field.Path) field.ErrorList { return validatePods(m.Pods, at) }},
		{"resource", autoscalingv2.ResourceMetricSourceType, m.Resource != nil, func(at *field.Path) field.ErrorList { return validateResource(m.Resource, at) }},
		{"containerResource", autoscalingv2.ContainerResourceMetricSourceType, m.ContainerResource != nil, func(at *field.Path) field.ErrorList {
			return validateContainerResource(m.ContainerResource, at)
		}},
	}
	errs = append(errs, unknownType(m, at)...)
	set := slices.DeleteFunc(slices.Clone(sources), func(s source) bool { return !s.set })
	if len(set) > 0 {
		errs = append(errs, set[0].check(at.Child(set[0].name))...)
	}
	if !slices.ContainsFunc(sources, func(s source) bool { return s.kind == m.Type }) {
		errs = append(errs, unknownType(m, at)...) // once more: clients count causes
	}
	for _, s := range sources {
		switch wanted := s.kind == m.Type; {
		case wanted && !s.set:
			errs = append(errs, field.Required(at.Child(s.name), "must populate information for the given metric source"))
		case !wanted && s.set && len(set) > 1:
			errs = append(errs, field.Forbidden(at.Child(s.name), "must populate the given metric source only"))
		}
	}
	return errs
}

func unknownType(m *autoscalingv2.MetricSpec, at *field.Path) field.ErrorList {
	return rule.OneOf(m.Type, at.Child("type"), autoscalingv2.ContainerResourceMetricSourceType, autoscalingv2.ExternalMetricSourceType,
		autoscalingv2.ObjectMetricSourceType, autoscalingv2.PodsMetricSourceType, autoscalingv2.ResourceMetricSourceType)
}

func validateObject(s *autoscalingv2.ObjectMetricSource, version bool, at *field.Path) field.ErrorList {
	errs := slices.Concat(
		validateReference(&s.DescribedObject, version, false, at.Child("describedObject")),
		validateIdentifier(&s.Metric, at.Child("metric")),
		validateTarget(&s.Target, at.Child("target")),
	)
	if s.Target.Value == nil && s.Target.AverageValue == nil {
		errs = append(errs, field.Required(at.Child("target", "averageValue"), "must set either a target value or averageValue"))
	}
	return errs
}

func validateExternal(s *autoscalingv2.ExternalMetricSource, at *field.Path) field.ErrorList {
	errs := append(validateIdentifier(&s.Metric, at.Child("metric")), validateTarget(&s.Target, at.Child("target"))...)
	switch value, average := s.Target.Value != nil, s.Target.AverageValue != nil; {
	case !value && !average:
		errs = append(errs, field.Required(at.Child("target", "averageValue"), "must set either a target value for metric or a per-pod target"))
	case value && average:
		errs = append(errs, field.Forbidden(at.Child("target", "value"), "may not set both a target value for metric and a per-pod target"))
	}
	return errs
}

func validatePods(s *autoscalingv2.PodsMetricSource, at *field.Path) field.ErrorList {
	errs := append(validateIdentifier(&s.Metric, at.Child("metric")), validateTarget(&s.Target, at.Child("target"))...)
	if s.Target.AverageValue == nil {
		errs = append(errs, field.Required(at.Child("target", "averageValue"), "must specify a positive target averageValue"))
	}
	return errs
}

func validateResource(s *autoscalingv2.ResourceMetricSource, at *field.Path) (errs field.ErrorList) {
	if s.Name == "" {
		errs = append(errs, field.Required(at.Child("name"), "must specify a resource name"))
	}
	return append(errs, validateUsage(&s.Target, at.Child("target"))...)
}

func validateContainerResource(s *autoscalingv2.ContainerResourceMetricSource, at *field.Path) (errs field.ErrorList) {
	if s.Name == "" {
		errs = append(errs, field.Required(at.Child("name"), "must specify a resource name"))
	} else {
		errs = append(errs, core.ValidateContainerResourceName(s.Name, at.Child("name"))...)
	}
	if s.Container == "" {
		errs = append(errs, field.Required(at.Child("container"), "must specify a container"))
	} else {
		errs = append(errs, rule.DNSLabel(s.Container, at.Child("container"))...)
	}
	return append(errs, validateUsage(&s.Target, at.Child("target"))...)
}

// validateUsage checks a target that is a share of what is requested, or an amount.
func validateUsage(t *autoscalingv2.MetricTarget, at *field.Path) field.ErrorList {
	errs := validateTarget(t, at)
	switch share, amount := t.AverageUtilization != nil, t.AverageValue != nil; {
	case !share && !amount:
		errs = append(errs, field.Required(at.Child("averageUtilization"), "must set either a target raw value or a target utilization"))
	case share && amount:
		errs = append(errs, field.Forbidden(at.Child("averageValue"), "may not set both a target raw value and a target utilization"))
	}
	return errs
}

func validateTarget(t *autoscalingv2.MetricTarget, at *field.Path) (errs field.ErrorList) {
	if t.Type == "" {
		errs = append(errs, field.Required(at.Child("type"), "must specify a metric target type"))
	}
	switch t.Type {
	case autoscalingv2.UtilizationMetricType, autoscalingv2.ValueMetricType, autoscalingv2.AverageValueMetricType:
	default:
		errs = append(errs, field.Invalid(at.Child("type"), t.Type, "must be either Utilization, Value, or AverageValue"))
	}
	if t.Value != nil && t.Value.Sign() != 1 {
		errs = append(errs, field.Invalid(at.Child("value"), t.Value, "must be positive"))
	}
	if t.AverageValue != nil && t.AverageValue.Sign() != 1 {
		errs = append(errs, field.Invalid(at.Child("averageValue"), t.AverageValue, "must be positive"))
	}
	if n := t.AverageUtilization; n != nil && *n < 1 {
		errs = append(errs, field.Invalid(at.Child("averageUtilization"), *n, "must be greater than 0"))
	}
	return errs
}

func validateIdentifier(m *autoscalingv2.MetricIdentifier, at *field.Path) field.ErrorList {
	if m.Name == "" {
		return field.ErrorList{field.Required(at.Child("name"), "must specify a metric name")}
	}
	return rule.PathSegment(m.Name, at.Child("name"))
}
