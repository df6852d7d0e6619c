package autoscaling

import (
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestTargetsInTables(t *testing.T) {
	cpu := autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
		Name: "cpu", Target: autoscalingv2.MetricTarget{AverageUtilization: new(int32(80))},
	}}
	pods := autoscalingv2.MetricSpec{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{
		Target: autoscalingv2.MetricTarget{AverageValue: new(resource.MustParse("10"))},
	}}
	external := autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
		Target: autoscalingv2.MetricTarget{AverageValue: new(resource.MustParse("5"))},
	}}
	now := autoscalingv2.MetricStatus{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricStatus{
		Current: autoscalingv2.MetricValueStatus{AverageUtilization: new(int32(30))},
	}}
	for _, c := range []struct {
		name    string
		metrics []autoscalingv2.MetricSpec
		status  []autoscalingv2.MetricStatus
		want    string
	}{
		{"none", nil, nil, "<none>"},
		{"no status yet", []autoscalingv2.MetricSpec{cpu}, nil, "cpu: <unknown>/80%"},
		{"measured", []autoscalingv2.MetricSpec{cpu}, []autoscalingv2.MetricStatus{now}, "cpu: 30%/80%"},
		{"two", []autoscalingv2.MetricSpec{pods, external}, nil, "<unknown>/10, <unknown>/5 (avg)"},
		{"many", []autoscalingv2.MetricSpec{cpu, pods, external, cpu}, []autoscalingv2.MetricStatus{now}, "cpu: 30%/80%, <unknown>/10 + 2 more..."},
		{"unknown", []autoscalingv2.MetricSpec{{Type: "X"}}, nil, "<unknown type>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &autoscaler{Spec: autoscalingv2.HorizontalPodAutoscalerSpec{Metrics: c.metrics}, Status: autoscalingv2.HorizontalPodAutoscalerStatus{CurrentMetrics: c.status}}
			if got := targets(h); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
