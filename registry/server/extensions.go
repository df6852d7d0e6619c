package server

import (
	"net/http"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/client-go/rest"
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
			MasterCount:         s.serversAtMost(),
			ServiceResolver:     s.resolver(),
			AuthResolverWrapper: webhook.NewDefaultAuthenticationInfoResolverWrapper(nil, nil, s.forWebhooks(), nil),
		},
	}
	return c.Complete().New(notFound())
}

// serversAtMost is more than one where others may share the storage: custom resources are served when these know them too.
func (s *Server) serversAtMost() int {
	if s.config.Etcd != nil {
		return 2
	}
	return 1
}

// forWebhooks reaches webhooks, and conversions of custom resources, that are behind Service kubernetes: in this process. Their
// caBundle is added to it, which a config with a transport of its own does not take.
func (s *Server) forWebhooks() *rest.Config {
	c := rest.CopyConfig(s.generic.LoopbackClientConfig)
	door := c.Transport
	c.Transport, c.WrapTransport = nil, func(http.RoundTripper) http.RoundTripper { return door }
	return c
}
