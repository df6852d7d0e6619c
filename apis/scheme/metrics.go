package scheme

import (
	"k8s.io/apimachinery/pkg/runtime"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// addMetricsConversions translates metrics to v1beta1, which says the same in the same fields. Nobody sends any.
func addMetricsConversions(s *runtime.Scheme) error {
	node := func(in *metricsv1.NodeMetrics) metricsv1beta1.NodeMetrics { return metricsv1beta1.NodeMetrics(*in) }
	pod := func(in *metricsv1.PodMetrics) metricsv1beta1.PodMetrics {
		out := metricsv1beta1.PodMetrics{TypeMeta: in.TypeMeta, ObjectMeta: in.ObjectMeta, Timestamp: in.Timestamp, Window: in.Window}
		for _, c := range in.Containers {
			out.Containers = append(out.Containers, metricsv1beta1.ContainerMetrics(c))
		}
		return out
	}
	return addAll(s,
		between(func(in *metricsv1.NodeMetrics, out *metricsv1beta1.NodeMetrics) error { *out = node(in); return nil }),
		between(func(in *metricsv1.PodMetrics, out *metricsv1beta1.PodMetrics) error { *out = pod(in); return nil }),
		between(func(in *metricsv1.NodeMetricsList, out *metricsv1beta1.NodeMetricsList) error {
			out.ListMeta, out.Items = in.ListMeta, make([]metricsv1beta1.NodeMetrics, len(in.Items))
			for i := range in.Items {
				out.Items[i] = node(&in.Items[i])
			}
			return nil
		}),
		between(func(in *metricsv1.PodMetricsList, out *metricsv1beta1.PodMetricsList) error {
			out.ListMeta, out.Items = in.ListMeta, make([]metricsv1beta1.PodMetrics, len(in.Items))
			for i := range in.Items {
				out.Items[i] = pod(&in.Items[i])
			}
			return nil
		}),
	)
}
