// Package autoscaling says what HorizontalPodAutoscalers mean: defaults, validation and conversion between versions.
package autoscaling

import (
	"encoding/json"
	"fmt"
	"maps"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// What version 1 has no fields for travels in annotations.
const (
	metricsAnnotation        = "autoscaling.alpha.kubernetes.io/metrics"
	currentMetricsAnnotation = "autoscaling.alpha.kubernetes.io/current-metrics"
	conditionsAnnotation     = "autoscaling.alpha.kubernetes.io/conditions"
	behaviorAnnotation       = "autoscaling.alpha.kubernetes.io/behavior"
)

// defaultUtilization is the target of an autoscaler of version 1 that names none, in percent.
const defaultUtilization = 80

// ToV1 converts an autoscaler to version 1. What in points to is shared, never written.
func ToV1(in *autoscalingv2.HorizontalPodAutoscaler, out *autoscalingv1.HorizontalPodAutoscaler) error {
	*out = autoscalingv1.HorizontalPodAutoscaler{
		ObjectMeta: in.ObjectMeta,
		Spec: autoscalingv1.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv1.CrossVersionObjectReference(in.Spec.ScaleTargetRef),
			MinReplicas:    in.Spec.MinReplicas,
			MaxReplicas:    in.Spec.MaxReplicas,
		},
		Status: autoscalingv1.HorizontalPodAutoscalerStatus{
			ObservedGeneration: in.Status.ObservedGeneration,
			LastScaleTime:      in.Status.LastScaleTime,
			CurrentReplicas:    in.Status.CurrentReplicas,
			DesiredReplicas:    in.Status.DesiredReplicas,
		},
	}
	var others []autoscalingv1.MetricSpec
	for _, m := range in.Spec.Metrics {
		if !isUtilization(m) {
			others = append(others, metricToV1(m))
		} else if out.Spec.TargetCPUUtilizationPercentage == nil {
			out.Spec.TargetCPUUtilizationPercentage = m.Resource.Target.AverageUtilization
		}
	}
	var current []autoscalingv1.MetricStatus
	for _, m := range in.Status.CurrentMetrics {
		current = append(current, statusToV1(m))
		if m.Type == autoscalingv2.ResourceMetricSourceType && m.Resource != nil && m.Resource.Name == corev1.ResourceCPU && m.Resource.Current.AverageUtilization != nil {
			out.Status.CurrentCPUUtilizationPercentage = m.Resource.Current.AverageUtilization
		}
	}
	var conditions []autoscalingv1.HorizontalPodAutoscalerCondition
	for _, c := range in.Status.Conditions {
		conditions = append(conditions, autoscalingv1.HorizontalPodAutoscalerCondition{
			Type: autoscalingv1.HorizontalPodAutoscalerConditionType(c.Type), Status: c.Status,
			LastTransitionTime: c.LastTransitionTime, Reason: c.Reason, Message: c.Message, ObservedGeneration: c.ObservedGeneration,
		})
	}
	return annotate(out, others, current, conditions, in.Spec.Behavior)
}

func isUtilization(m autoscalingv2.MetricSpec) bool {
	return m.Type == autoscalingv2.ResourceMetricSourceType && m.Resource != nil &&
		m.Resource.Name == corev1.ResourceCPU && m.Resource.Target.AverageUtilization != nil
}

// annotate replaces the annotations that carry what version 1 lacks.
func annotate(out *autoscalingv1.HorizontalPodAutoscaler, metrics []autoscalingv1.MetricSpec, current []autoscalingv1.MetricStatus,
	conditions []autoscalingv1.HorizontalPodAutoscalerCondition, behavior *autoscalingv2.HorizontalPodAutoscalerBehavior) error {
	carried := map[string]any{}
	if len(metrics) > 0 {
		carried[metricsAnnotation] = metrics
	}
	if len(current) > 0 {
		carried[currentMetricsAnnotation] = current
	}
	if len(conditions) > 0 {
		carried[conditionsAnnotation] = conditions
	}
	if behavior != nil {
		carried[behaviorAnnotation] = behaviorForm{rulesOf(behavior.ScaleUp), rulesOf(behavior.ScaleDown)}
	}
	out.Annotations = DropConversionAnnotations(out.Annotations)
	if len(carried) == 0 {
		return nil
	}
	annotations := maps.Clone(out.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	for name, value := range carried {
		encoded, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("encoding annotation %s: %w", name, err)
		}
		annotations[name] = string(encoded)
	}
	out.Annotations = annotations
	return nil
}

// DropConversionAnnotations returns annotations without those that only version 1 has. The argument is not changed.
func DropConversionAnnotations(annotations map[string]string) map[string]string {
	kept := maps.Clone(annotations)
	for _, name := range []string{
		metricsAnnotation, currentMetricsAnnotation, conditionsAnnotation, behaviorAnnotation,
		"autoscaling.alpha.kubernetes.io/scale-down-tolerance", "autoscaling.alpha.kubernetes.io/scale-up-tolerance",
	} {
		delete(kept, name)
	}
	if len(kept) == len(annotations) {
		return annotations
	}
	return kept
}

// FromV1 converts an autoscaler from version 1. Annotations that cannot be read are ignored.
func FromV1(in *autoscalingv1.HorizontalPodAutoscaler, out *autoscalingv2.HorizontalPodAutoscaler) {
	*out = autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: in.ObjectMeta,
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference(in.Spec.ScaleTargetRef),
			MinReplicas:    in.Spec.MinReplicas,
			MaxReplicas:    in.Spec.MaxReplicas,
			Metrics:        metricsFromV1(in),
		},
		Status: autoscalingv2.HorizontalPodAutoscalerStatus{
			ObservedGeneration: in.Status.ObservedGeneration,
			LastScaleTime:      in.Status.LastScaleTime,
			CurrentReplicas:    in.Status.CurrentReplicas,
			DesiredReplicas:    in.Status.DesiredReplicas,
			CurrentMetrics:     currentFromV1(in),
		},
	}
	if behavior, ok := carriedBy[autoscalingv2.HorizontalPodAutoscalerBehavior](in, behaviorAnnotation); ok && (behavior.ScaleUp != nil || behavior.ScaleDown != nil) {
		out.Spec.Behavior = &behavior
	}
	if conditions, ok := carriedBy[[]autoscalingv1.HorizontalPodAutoscalerCondition](in, conditionsAnnotation); ok {
		for _, c := range conditions {
			out.Status.Conditions = append(out.Status.Conditions, autoscalingv2.HorizontalPodAutoscalerCondition{
				Type: autoscalingv2.HorizontalPodAutoscalerConditionType(c.Type), Status: c.Status,
				LastTransitionTime: c.LastTransitionTime, Reason: c.Reason, Message: c.Message, ObservedGeneration: c.ObservedGeneration,
			})
		}
	}
	out.Annotations = DropConversionAnnotations(in.Annotations)
}

func metricsFromV1(in *autoscalingv1.HorizontalPodAutoscaler) []autoscalingv2.MetricSpec {
	var metrics []autoscalingv2.MetricSpec
	others, _ := carriedBy[[]autoscalingv1.MetricSpec](in, metricsAnnotation)
	for _, m := range others {
		metrics = append(metrics, metricFromV1(m))
	}
	target := in.Spec.TargetCPUUtilizationPercentage
	if target == nil && len(metrics) == 0 {
		target = ptr.To[int32](defaultUtilization)
	}
	if target != nil {
		metrics = append(metrics, autoscalingv2.MetricSpec{
			Type: autoscalingv2.ResourceMetricSourceType,
			Resource: &autoscalingv2.ResourceMetricSource{
				Name:   corev1.ResourceCPU,
				Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: ptr.To(*target)},
			},
		})
	}
	return metrics
}

func currentFromV1(in *autoscalingv1.HorizontalPodAutoscaler) []autoscalingv2.MetricStatus {
	if carried, ok := carriedBy[[]autoscalingv1.MetricStatus](in, currentMetricsAnnotation); ok {
		var current []autoscalingv2.MetricStatus
		for _, m := range carried {
			current = append(current, statusFromV1(m))
		}
		return current
	}
	if in.Status.CurrentCPUUtilizationPercentage == nil {
		return nil
	}
	return []autoscalingv2.MetricStatus{{
		Type: autoscalingv2.ResourceMetricSourceType,
		Resource: &autoscalingv2.ResourceMetricStatus{
			Name:    corev1.ResourceCPU,
			Current: autoscalingv2.MetricValueStatus{AverageUtilization: ptr.To(*in.Status.CurrentCPUUtilizationPercentage)},
		},
	}}
}

// carriedBy decodes what an annotation of in carries, and reports whether there was any.
func carriedBy[T any](in *autoscalingv1.HorizontalPodAutoscaler, annotation string) (value T, ok bool) {
	encoded, ok := in.Annotations[annotation]
	return value, ok && json.Unmarshal([]byte(encoded), &value) == nil
}
