package apps

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/apis/apps"
	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type deployment = appsv1.Deployment

// Deployments roll replica sets from one pod template to the next. Annotations count as a change: replica sets get them.
func deployments() *resource.Resource[*deployment] {
	return resource.Define(resource.Definition[*deployment]{
		Name: "deployments", Short: []string{"deploy"}, Categories: []string{"all"}, Namespaced: true,
		Default:        apps.DefaultDeployment,
		Gated:          core.GatedTemplate(func(o *deployment) *corev1.PodTemplateSpec { return &o.Spec.Template }),
		Tolerates:      core.TolerateTemplate(func(o *deployment) *corev1.PodTemplateSpec { return &o.Spec.Template }),
		Generation:     func(d *deployment) any { return []any{&d.Spec, d.Annotations} },
		ValidateCreate: apps.ValidateDeployment,
		ValidateUpdate: apps.ValidateDeploymentUpdate,
		Warnings: func(_ context.Context, d, old *deployment) []string {
			if old == nil {
				return append(nameWarnings(d.Name), templateWarnings(&d.Spec.Template, nil)...)
			}
			if d.Generation == old.Generation {
				return nil
			}
			return templateWarnings(&d.Spec.Template, &old.Spec.Template)
		},
		Columns: append([]resource.Column[*deployment]{
			{Name: "Ready", Description: "Number of the pod with ready state", Cell: func(d *deployment) any {
				return fmt.Sprintf("%d/%d", d.Status.ReadyReplicas, column.Int(d.Spec.Replicas))
			}},
			{Name: "Up-to-date", Description: appsv1.DeploymentStatus{}.SwaggerDoc()["updatedReplicas"], Cell: func(d *deployment) any { return int64(d.Status.UpdatedReplicas) }},
			{Name: "Available", Description: appsv1.DeploymentStatus{}.SwaggerDoc()["availableReplicas"], Cell: func(d *deployment) any { return int64(d.Status.AvailableReplicas) }},
		}, wide(
			func(d *deployment) *corev1.PodTemplateSpec { return &d.Spec.Template },
			appsv1.DeploymentSpec{}.SwaggerDoc()["selector"], func(d *deployment) *metav1.LabelSelector { return d.Spec.Selector },
		)...),
		CopyStatus: func(into, from *deployment) { into.Status = from.Status },
		Status: &resource.Part[*deployment]{
			Prepare:  func(_ context.Context, d, old *deployment) { d.Labels = old.Labels },
			Validate: apps.ValidateDeploymentStatus,
			Resets:   []string{"spec", "metadata.labels"},
		},
		Scale: &resource.Scale[*deployment]{
			Replicas: func(d *deployment) **int32 { return &d.Spec.Replicas },
			Observed: func(d *deployment) int32 { return d.Status.Replicas },
			Selector: func(d *deployment) *metav1.LabelSelector { return d.Spec.Selector },
		},
	})
}
