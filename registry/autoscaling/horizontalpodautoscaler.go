package autoscaling

import (
	"strconv"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/coracle-k8s/coracle/apis/autoscaling"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type autoscaler = autoscalingv2.HorizontalPodAutoscaler

// HorizontalPodAutoscalers set the scale of workloads. Version 2 is the hub, version 1 is served beside it.
func horizontalPodAutoscalers() *resource.Resource[*autoscaler] {
	doc := autoscalingv2.HorizontalPodAutoscalerSpec{}.SwaggerDoc()
	return resource.Define(resource.Definition[*autoscaler]{
		Name: "horizontalpodautoscalers", Short: []string{"hpa"}, Categories: []string{"all"}, Namespaced: true,
		Default:        fill,
		Also:           []resource.Version{resource.In[*autoscalingv1.HorizontalPodAutoscaler]{Default: autoscaling.DefaultV1}},
		Generation:     func(h *autoscaler) any { return &h.Spec },
		ValidateCreate: autoscaling.Validate,
		ValidateUpdate: autoscaling.ValidateUpdate,
		Columns: []resource.Column[*autoscaler]{
			{Name: "Reference", Description: doc["scaleTargetRef"], Cell: func(h *autoscaler) any {
				return h.Spec.ScaleTargetRef.Kind + "/" + h.Spec.ScaleTargetRef.Name
			}},
			{Name: "Targets", Description: doc["metrics"], Cell: func(h *autoscaler) any { return targets(h) }},
			{Name: "MinPods", Description: doc["minReplicas"], Cell: func(h *autoscaler) any {
				if h.Spec.MinReplicas == nil {
					return "<unset>"
				}
				return strconv.Itoa(int(*h.Spec.MinReplicas))
			}},
			{Name: "MaxPods", Description: doc["maxReplicas"], Cell: func(h *autoscaler) any { return int64(h.Spec.MaxReplicas) }},
			{Name: "Replicas", Description: autoscalingv2.HorizontalPodAutoscalerStatus{}.SwaggerDoc()["currentReplicas"], Cell: func(h *autoscaler) any {
				return int64(h.Status.CurrentReplicas)
			}},
		},
		CopyStatus: func(into, from *autoscaler) { into.Status = from.Status },
		Status:     &resource.Part[*autoscaler]{Validate: autoscaling.ValidateStatus},
	})
}

// fill drops the annotations in which version 1 keeps what it has no fields for: version 2 has the fields.
func fill(h *autoscaler) {
	autoscaling.Default(h)
	h.Annotations = autoscaling.DropConversionAnnotations(h.Annotations)
}
