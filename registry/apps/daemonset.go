package apps

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/coracle-k8s/coracle/apis/apps"
	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type daemonSet = appsv1.DaemonSet

// DaemonSets run one pod on each node.
func daemonSets() *resource.Resource[*daemonSet] {
	return resource.Define(resource.Definition[*daemonSet]{
		Name: "daemonsets", Short: []string{"ds"}, Categories: []string{"all"}, Namespaced: true,
		Default:          apps.DefaultDaemonSet,
		PrepareForCreate: func(_ context.Context, ds *daemonSet) { apps.CountTemplates(ds, nil) },
		PrepareForUpdate: func(_ context.Context, ds, old *daemonSet) { apps.CountTemplates(ds, old) },
		Gated:            core.GatedTemplate(func(o *daemonSet) *corev1.PodTemplateSpec { return &o.Spec.Template }),
		Tolerates:        core.TolerateTemplate(func(o *daemonSet) *corev1.PodTemplateSpec { return &o.Spec.Template }),
		Generation:       func(ds *daemonSet) any { return &ds.Spec },
		Validate:         apps.ValidateDaemonSet,
		ValidateUpdate:   apps.ValidateDaemonSetUpdate,
		Warnings: func(_ context.Context, ds, old *daemonSet) []string {
			if old == nil {
				return templateWarnings(&ds.Spec.Template, nil)
			}
			return templateWarnings(&ds.Spec.Template, &old.Spec.Template)
		},
		Columns: append([]resource.Column[*daemonSet]{
			count("Desired", "desiredNumberScheduled", func(s *appsv1.DaemonSetStatus) int32 { return s.DesiredNumberScheduled }),
			count("Current", "currentNumberScheduled", func(s *appsv1.DaemonSetStatus) int32 { return s.CurrentNumberScheduled }),
			count("Ready", "numberReady", func(s *appsv1.DaemonSetStatus) int32 { return s.NumberReady }),
			count("Up-to-date", "updatedNumberScheduled", func(s *appsv1.DaemonSetStatus) int32 { return s.UpdatedNumberScheduled }),
			count("Available", "numberAvailable", func(s *appsv1.DaemonSetStatus) int32 { return s.NumberAvailable }),
			{Name: "Node Selector", Description: corev1.PodSpec{}.SwaggerDoc()["nodeSelector"], Cell: func(ds *daemonSet) any { return labels.FormatLabels(ds.Spec.Template.Spec.NodeSelector) }},
		}, wide(
			func(ds *daemonSet) *corev1.PodTemplateSpec { return &ds.Spec.Template },
			appsv1.DaemonSetSpec{}.SwaggerDoc()["selector"], func(ds *daemonSet) *metav1.LabelSelector { return ds.Spec.Selector },
		)...),
		CopyStatus: func(into, from *daemonSet) { into.Status = from.Status },
		Status:     &resource.Part[*daemonSet]{Validate: apps.ValidateDaemonSetStatus},
	})
}

// count is the column of a number of nodes in the status.
func count(name, path string, of func(*appsv1.DaemonSetStatus) int32) resource.Column[*daemonSet] {
	return resource.Column[*daemonSet]{
		Name: name, Type: "integer", Description: appsv1.DaemonSetStatus{}.SwaggerDoc()[path],
		Cell: func(ds *daemonSet) any { return int64(of(&ds.Status)) },
	}
}
