package autoscaling

import (
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
)

// DefaultV1 scales down to one replica.
func DefaultV1(h *autoscalingv1.HorizontalPodAutoscaler) { orDefault(&h.Spec.MinReplicas, 1) }

// Default scales down to one replica, by the use of CPU, and fills in what a behavior leaves open.
// https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
func Default(h *autoscalingv2.HorizontalPodAutoscaler) {
	orDefault(&h.Spec.MinReplicas, 1)
	if len(h.Spec.Metrics) == 0 {
		h.Spec.Metrics = []autoscalingv2.MetricSpec{{
			Type: autoscalingv2.ResourceMetricSourceType,
			Resource: &autoscalingv2.ResourceMetricSource{
				Name:   corev1.ResourceCPU,
				Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new(int32(defaultUtilization))},
			},
		}}
	}
	if b := h.Spec.Behavior; b != nil {
		everything := autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15}
		fourPods := autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PodsScalingPolicy, Value: 4, PeriodSeconds: 15}
		defaultRules(&b.ScaleUp, fourPods, everything)
		orDefault(&b.ScaleUp.StabilizationWindowSeconds, 0)
		defaultRules(&b.ScaleDown, everything)
	}
}

func defaultRules(rules **autoscalingv2.HPAScalingRules, policies ...autoscalingv2.HPAScalingPolicy) {
	orDefault(rules, autoscalingv2.HPAScalingRules{})
	orDefault(&(*rules).SelectPolicy, autoscalingv2.MaxChangePolicySelect)
	if (*rules).Policies == nil {
		(*rules).Policies = policies
	}
}

func orDefault[V any](value **V, fallback V) {
	if *value == nil {
		*value = &fallback
	}
}
