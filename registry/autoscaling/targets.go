package autoscaling

import (
	"fmt"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
)

// targets shows what the metrics are and should be: cpu: 30%/80%. Statuses stand in the order of metrics.
func targets(h *autoscaler) string {
	const shown = 2
	if len(h.Spec.Metrics) == 0 {
		return "<none>"
	}
	var all []string
	for i := range h.Spec.Metrics[:min(len(h.Spec.Metrics), shown)] {
		var status autoscalingv2.MetricStatus
		if i < len(h.Status.CurrentMetrics) {
			status = h.Status.CurrentMetrics[i]
		}
		all = append(all, target(&h.Spec.Metrics[i], &status))
	}
	text := strings.Join(all, ", ")
	if more := len(h.Spec.Metrics) - shown; more > 0 {
		return fmt.Sprintf("%s + %d more...", text, more)
	}
	return text
}

func target(m *autoscalingv2.MetricSpec, status *autoscalingv2.MetricStatus) string {
	switch {
	case m.Type == autoscalingv2.ExternalMetricSourceType && m.External != nil:
		return amount(&m.External.Target, value(status.External, func(s *autoscalingv2.ExternalMetricStatus) *autoscalingv2.MetricValueStatus { return &s.Current }))
	case m.Type == autoscalingv2.ObjectMetricSourceType && m.Object != nil:
		return amount(&m.Object.Target, value(status.Object, func(s *autoscalingv2.ObjectMetricStatus) *autoscalingv2.MetricValueStatus { return &s.Current }))
	case m.Type == autoscalingv2.PodsMetricSourceType && m.Pods != nil:
		now := value(status.Pods, func(s *autoscalingv2.PodsMetricStatus) *autoscalingv2.MetricValueStatus { return &s.Current })
		return quantity(now.AverageValue) + "/" + quantity(m.Pods.Target.AverageValue)
	case m.Type == autoscalingv2.ResourceMetricSourceType && m.Resource != nil:
		now := value(status.Resource, func(s *autoscalingv2.ResourceMetricStatus) *autoscalingv2.MetricValueStatus { return &s.Current })
		return string(m.Resource.Name) + ": " + usage(&m.Resource.Target, now)
	case m.Type == autoscalingv2.ContainerResourceMetricSourceType && m.ContainerResource != nil:
		now := value(status.ContainerResource, func(s *autoscalingv2.ContainerResourceMetricStatus) *autoscalingv2.MetricValueStatus {
			return &s.Current
		})
		return string(m.ContainerResource.Name) + ": " + usage(&m.ContainerResource.Target, now)
	}
	return "<unknown type>"
}

// value is what a status says, or nothing if there is none yet.
func value[S any](status *S, of func(*S) *autoscalingv2.MetricValueStatus) *autoscalingv2.MetricValueStatus {
	if status == nil {
		return &autoscalingv2.MetricValueStatus{}
	}
	return of(status)
}

func amount(t *autoscalingv2.MetricTarget, now *autoscalingv2.MetricValueStatus) string {
	if t.AverageValue != nil {
		return quantity(now.AverageValue) + "/" + quantity(t.AverageValue) + " (avg)"
	}
	return quantity(now.Value) + "/" + quantity(t.Value)
}

func usage(t *autoscalingv2.MetricTarget, now *autoscalingv2.MetricValueStatus) string {
	if t.AverageValue != nil {
		return quantity(now.AverageValue) + "/" + quantity(t.AverageValue)
	}
	return percent(now.AverageUtilization, "<unknown>") + "/" + percent(t.AverageUtilization, "<auto>")
}

func quantity(q *resource.Quantity) string {
	if q == nil {
		return "<unknown>"
	}
	return q.String()
}

func percent(n *int32, missing string) string {
	if n == nil {
		return missing
	}
	return fmt.Sprintf("%d%%", *n)
}
