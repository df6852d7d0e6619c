package server

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/util/webhook"
)

// customResources makes the server of CustomResourceDefinitions and of what they define.
func (s *Server) customResources() (*apiserver.CustomResourceDefinitions, error) {
	config := *s.generic
	config.PostStartHooks = map[string]genericapiserver.PostStartHookConfigEntry{}
	config.SkipOpenAPIInstallation = true
	config.OpenAPIV3Config = extensionsOpenAPI()
	config.RESTOptionsGetter = s.stores.Getter(func(schema.GroupResource) (runtime.Codec, runtime.GroupVersioner, error) {
		gv := apiextensionsv1.SchemeGroupVersion
		return apiserver.Codecs.LegacyCodec(gv), gv, nil
	})
	c := apiserver.Config{
		GenericConfig: &genericapiserver.RecommendedConfig{Config: config, SharedInformerFactory: s.informers},
		ExtraConfig: apiserver.ExtraConfig{
			CRDRESTOptionsGetter: s.stores.Getter(func(schema.GroupResource) (runtime.Codec, runtime.GroupVersioner, error) {
				return runtime.NewCodec(unstructured.UnstructuredJSONScheme, unstructured.UnstructuredJSONScheme), nil, nil
			}),
			MasterCount:         1,
			ServiceResolver:     s.resolver(),
			AuthResolverWrapper: webhook.NewDefaultAuthenticationInfoResolverWrapper(nil, nil, s.generic.LoopbackClientConfig, nil),
		},
	}
	return c.Complete().New(notFound())
}
