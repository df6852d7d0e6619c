package dra

import (
	"context"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/dra"
	"github.com/coracle-k8s/coracle/apis/feature"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type template = resourcev1.ResourceClaimTemplate

// ResourceClaimTemplates are what claims of pods are made of.
func resourceClaimTemplates(c Config) *resource.Resource[*template] {
	return resource.Define(resource.Definition[*template]{
		Name: "resourceclaimtemplates", Namespaced: true, ReturnDeleted: true,
		Default: dra.DefaultResourceClaimTemplate,
		Gated:   feature.In(dra.GatedClaimSpec(), func(t *template) *resourcev1.ResourceClaimSpec { return &t.Spec.Spec }),
		ValidateRequest: func(_ context.Context, t, old *template) field.ErrorList {
			if old != nil {
				return dra.ValidateClaimTemplateUpdate(t, old, checkSelector)
			}
			return append(c.mayAdminister(t.Namespace, dra.AdminAccess(t.Spec.Spec.Devices.Requests)), dra.ValidateClaimTemplate(t, checkSelector)...)
		},
	})
}
