package server

import (
	"maps"

	extensionsopenapi "k8s.io/apiextensions-apiserver/pkg/generated/openapi"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	aggregatoropenapi "k8s.io/kube-aggregator/pkg/generated/openapi"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// extensionsOpenAPI describes the types of the libraries that serve CustomResourceDefinitions and APIServices, for
// server-side apply to them and to custom resources.
func extensionsOpenAPI() *common.OpenAPIV3Config {
	definitions := func(ref common.ReferenceCallback) map[string]common.OpenAPIDefinition {
		all := extensionsopenapi.GetOpenAPIDefinitions(ref)
		maps.Copy(all, aggregatoropenapi.GetOpenAPIDefinitions(ref))
		return all
	}
	namer := openapinamer.NewDefinitionNamer(librarySchemes()...)
	c := &common.OpenAPIV3Config{
		Info:                  &spec.Info{},
		GetOperationIDAndTags: openapinamer.GetOperationIDAndTags,
		GetDefinitionName:     servedOnly(namer.GetDefinitionName),
		GetDefinitions:        definitions,
	}
	c.Definitions = definitions(func(name string) spec.Ref {
		short, _ := c.GetDefinitionName(name)
		return spec.MustCreateRef("#/components/schemas/" + common.EscapeJsonPointer(short))
	})
	return c
}
