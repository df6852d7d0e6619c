package apps

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/apis/apps"
	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type replicaSet = appsv1.ReplicaSet

// ReplicaSets keep a number of identical pods running.
func replicaSets() *resource.Resource[*replicaSet] {
	return resource.Define(resource.Definition[*replicaSet]{
		Name: "replicasets", Short: []string{"rs"}, Categories: []string{"all"}, Namespaced: true,
		Default:        apps.DefaultReplicaSet,
		Gated:          core.GatedTemplate(func(o *replicaSet) *corev1.PodTemplateSpec { return &o.Spec.Template }),
		Tolerates:      core.TolerateTemplate(func(o *replicaSet) *corev1.PodTemplateSpec { return &o.Spec.Template }),
		Generation:     func(rs *replicaSet) any { return &rs.Spec },
		ValidateCreate: apps.ValidateReplicaSet,
		ValidateUpdate: apps.ValidateReplicaSetUpdate,
		Warnings: func(_ context.Context, rs, old *replicaSet) []string {
			if old == nil {
				return append(nameWarnings(rs.Name), templateWarnings(&rs.Spec.Template, nil)...)
			}
			if rs.Generation == old.Generation {
				return nil
			}
			return templateWarnings(&rs.Spec.Template, &old.Spec.Template)
		},
		Columns: append([]resource.Column[*replicaSet]{
			{Name: "Desired", Type: "integer", Description: appsv1.ReplicaSetSpec{}.SwaggerDoc()["replicas"], Cell: func(rs *replicaSet) any { return column.Int(rs.Spec.Replicas) }},
			{Name: "Current", Type: "integer", Description: appsv1.ReplicaSetStatus{}.SwaggerDoc()["replicas"], Cell: func(rs *replicaSet) any { return int64(rs.Status.Replicas) }},
			{Name: "Ready", Type: "integer", Description: appsv1.ReplicaSetStatus{}.SwaggerDoc()["readyReplicas"], Cell: func(rs *replicaSet) any { return int64(rs.Status.ReadyReplicas) }},
		}, wide(
			func(rs *replicaSet) *corev1.PodTemplateSpec { return &rs.Spec.Template },
			appsv1.ReplicaSetSpec{}.SwaggerDoc()["selector"], func(rs *replicaSet) *metav1.LabelSelector { return rs.Spec.Selector },
		)...),
		CopyStatus: func(into, from *replicaSet) { into.Status = from.Status },
		Status:     &resource.Part[*replicaSet]{Validate: apps.ValidateReplicaSetStatus},
		Scale: &resource.Scale[*replicaSet]{
			Replicas: func(rs *replicaSet) **int32 { return &rs.Spec.Replicas },
			Observed: func(rs *replicaSet) int32 { return rs.Status.Replicas },
			Selector: func(rs *replicaSet) *metav1.LabelSelector { return rs.Spec.Selector },
		},
	})
}
