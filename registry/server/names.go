package server

import (
	extensions "k8s.io/apiextensions-apiserver/pkg/apiserver"
	"k8s.io/apimachinery/pkg/runtime"
	aggregatorscheme "k8s.io/kube-aggregator/pkg/apiserver/scheme"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

const kindExtension = "x-kubernetes-group-version-kind"

// librarySchemes are those of the types that libraries serve.
func librarySchemes() []*runtime.Scheme {
	return []*runtime.Scheme{extensions.Scheme, aggregatorscheme.Scheme}
}

// servedOnly leaves kinds of internal versions out of what name says about a type.
func servedOnly(name func(string) (string, spec.Extensions)) func(string) (string, spec.Extensions) {
	return func(goName string) (string, spec.Extensions) {
		short, about := name(goName)
		kinds, ok := about[kindExtension].([]any)
		if !ok {
			return short, about
		}
		var served []any
		for _, kind := range kinds {
			if fields, ok := kind.(map[string]any); !ok || fields["version"] != runtime.APIVersionInternal {
				served = append(served, kind)
			}
		}
		if len(served) == 0 {
			return short, spec.Extensions{}
		}
		return short, spec.Extensions{kindExtension: served}
	}
}
