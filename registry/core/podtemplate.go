package core

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type podTemplate = corev1.PodTemplate

// PodTemplates are templates of pods that nothing runs by itself.
func podTemplates() *resource.Resource[*podTemplate] {
	return resource.Define(resource.Definition[*podTemplate]{
		Name: "podtemplates", Namespaced: true,
		Default:    func(t *podTemplate) { core.DefaultPodTemplate(&t.Template) },
		Gated:      core.GatedTemplate(func(t *podTemplate) *corev1.PodTemplateSpec { return &t.Template }),
		Tolerates:  core.TolerateTemplate(func(t *podTemplate) *corev1.PodTemplateSpec { return &t.Template }),
		Generation: func(t *podTemplate) any { return &t.Template },
		Validate:   core.ValidatePodTemplateObject,
		Warnings: func(_ context.Context, t, old *podTemplate) []string {
			if old != nil && t.Generation == old.Generation {
				return nil
			}
			return core.PodTemplateWarnings(&t.Template, oldTemplate(old), field.NewPath("template"))
		},
		ReturnDeleted: true,
		Columns: []resource.Column[*podTemplate]{
			{Name: "Name", Format: "name", Description: metav1.ObjectMeta{}.SwaggerDoc()["name"], Cell: func(t *podTemplate) any { return t.Name }},
			{Name: "Containers", Description: "Names of each container in the template.", Cell: func(t *podTemplate) any { return column.Names(&t.Template) }},
			{Name: "Images", Description: "Images referenced by each container in the template.", Cell: func(t *podTemplate) any { return column.Images(&t.Template) }},
			{Name: "Pod Labels", Description: "The labels for the pod template.", Cell: func(t *podTemplate) any { return labels.FormatLabels(t.Template.Labels) }},
		},
	})
}

func oldTemplate(t *podTemplate) *corev1.PodTemplateSpec {
	if t == nil {
		return nil
	}
	return &t.Template
}
