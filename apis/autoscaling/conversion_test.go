package autoscaling

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

func utilization(percent int32) autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{
		Type: autoscalingv2.ResourceMetricSourceType,
		Resource: &autoscalingv2.ResourceMetricSource{
			Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &percent},
		},
	}
}

// whole uses all that version 1 has no fields for.
func whole() *autoscalingv2.HorizontalPodAutoscaler {
	quantity := resource.MustParse("5")
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "h", Annotations: map[string]string{"mine": "kept"}},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "d"}, MinReplicas: ptr.To[int32](1), MaxReplicas: 3,
			Metrics: []autoscalingv2.MetricSpec{
				{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{
					Metric: autoscalingv2.MetricIdentifier{Name: "m"},
					Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: &quantity},
				}},
				{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
					Metric: autoscalingv2.MetricIdentifier{Name: "e", Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}},
					Target: autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: &quantity},
				}},
				utilization(70),
			},
			Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: &autoscalingv2.HPAScalingRules{
				StabilizationWindowSeconds: ptr.To[int32](5), SelectPolicy: ptr.To(autoscalingv2.MaxChangePolicySelect),
				Policies: []autoscalingv2.HPAScalingPolicy{{Type: autoscalingv2.PodsScalingPolicy, Value: 4, PeriodSeconds: 15}},
			}},
		},
		Status: autoscalingv2.HorizontalPodAutoscalerStatus{
			CurrentReplicas: 2,
			CurrentMetrics: []autoscalingv2.MetricStatus{{
				Type:     autoscalingv2.ResourceMetricSourceType,
				Resource: &autoscalingv2.ResourceMetricStatus{Name: corev1.ResourceCPU, Current: autoscalingv2.MetricValueStatus{AverageUtilization: ptr.To[int32](33), AverageValue: &quantity}},
			}},
			Conditions: []autoscalingv2.HorizontalPodAutoscalerCondition{{Type: autoscalingv2.AbleToScale, Status: corev1.ConditionTrue, Reason: "r"}},
		},
	}
}

func TestAutoscalersSurviveVersion1(t *testing.T) {
	in := whole()
	var there autoscalingv1.HorizontalPodAutoscaler
	if err := ToV1(in, &there); err != nil {
		t.Fatal(err)
	}
	if *there.Spec.TargetCPUUtilizationPercentage != 70 || *there.Status.CurrentCPUUtilizationPercentage != 33 {
		t.Errorf("version 1 is %v", there)
	}
	if behavior := there.Annotations[behaviorAnnotation]; !strings.Contains(behavior, `"ScaleUp":{"StabilizationWindowSeconds":5`) {
		t.Errorf("behaviour is written as %s", behavior)
	}
	var back autoscalingv2.HorizontalPodAutoscaler
	FromV1(&there, &back)
	if d := cmp.Diff(whole(), &back); d != "" {
		t.Errorf("lost on the way:\n%s", d)
	}
	if d := cmp.Diff(whole(), in); d != "" {
		t.Errorf("the original was changed:\n%s", d)
	}
}

func TestVersion1WithoutTargetMeans80Percent(t *testing.T) {
	var out autoscalingv2.HorizontalPodAutoscaler
	FromV1(&autoscalingv1.HorizontalPodAutoscaler{}, &out)
	if d := cmp.Diff([]autoscalingv2.MetricSpec{utilization(80)}, out.Spec.Metrics); d != "" {
		t.Error(d)
	}
}

func TestUnreadableAnnotationsAreIgnored(t *testing.T) {
	in := &autoscalingv1.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{metricsAnnotation: "{", behaviorAnnotation: "no", "mine": "kept"}}}
	var out autoscalingv2.HorizontalPodAutoscaler
	FromV1(in, &out)
	if d := cmp.Diff(map[string]string{"mine": "kept"}, out.Annotations); d != "" || out.Spec.Behavior != nil {
		t.Errorf("%v, %s", out, d)
	}
}
