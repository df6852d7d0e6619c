package dra

import (
	resourcev1 "k8s.io/api/resource/v1"

	"github.com/coracle-k8s/coracle/apis/dra"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type template = resourcev1.ResourceClaimTemplate

// ResourceClaimTemplates are what claims of pods are made of.
func resourceClaimTemplates() *resource.Resource[*template] {
	return resource.Define(resource.Definition[*template]{
		Name: "resourceclaimtemplates", Namespaced: true,
		Default: dra.DefaultResourceClaimTemplate,
	})
}
