//go:build definitions

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/emicklei/go-restful/v3"
	extensions "k8s.io/apiextensions-apiserver/pkg/apiserver"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/mux"
	"k8s.io/apiserver/pkg/server/routes"
	aggregatorscheme "k8s.io/kube-aggregator/pkg/apiserver/scheme"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"github.com/coracle-k8s/coracle/apis/scheme"
	"github.com/coracle-k8s/coracle/apis/version"
	"github.com/coracle-k8s/coracle/hack/generate/definitions"
)

// documents are served by the library's own handlers, under /openapi.
type documents struct{ handler http.Handler }

// build describes the URLs of the web services.
func build(services []*restful.WebService) (*documents, error) {
	s, err := scheme.New()
	if err != nil {
		return nil, fmt.Errorf("building the scheme: %w", err)
	}
	namer := openapinamer.NewDefinitionNamer(s.Scheme, extensions.Scheme, aggregatorscheme.Scheme)
	container := restful.NewContainer()
	seen := map[string]bool{}
	for _, ws := range services {
		if !seen[ws.RootPath()] {
			seen[ws.RootPath()] = true
			container.Add(ws)
		}
	}
	paths := mux.NewPathRecorderMux("openapi")
	oa := routes.OpenAPI{
		Config:   genericapiserver.DefaultOpenAPIConfig(definitions.GetOpenAPIDefinitions, namer),
		V3Config: genericapiserver.DefaultOpenAPIV3Config(definitions.GetOpenAPIDefinitions, namer),
	}
	describe(oa, namer)
	oa.InstallV2(container, paths)
	oa.InstallV3(container, paths)
	return &documents{handler: paths}, nil
}

// describe says what is common to all operations.
func describe(oa routes.OpenAPI, namer *openapinamer.DefinitionNamer) {
	info := spec.InfoProps{Title: "Kubernetes", Version: "v" + version.Kubernetes}
	token := spec.SecuritySchemeProps{Type: "apiKey", Name: "authorization", In: "header", Description: "Bearer Token authentication"}
	required := []map[string][]string{{"BearerToken": {}}}

	oa.Config.Info.InfoProps, oa.V3Config.Info.InfoProps = info, info
	oa.Config.SecurityDefinitions = &spec.SecurityDefinitions{"BearerToken": {SecuritySchemeProps: token}}
	oa.Config.DefaultSecurity = required
	oa.Config.CommonResponses = map[int]spec.Response{http.StatusUnauthorized: {ResponseProps: spec.ResponseProps{Description: "Unauthorized"}}}
	oa.V3Config.CommonResponses = map[int]*spec3.Response{http.StatusUnauthorized: {ResponseProps: spec3.ResponseProps{Description: "Unauthorized"}}}
	oa.V3Config.SecuritySchemes = spec3.SecuritySchemes{"BearerToken": {SecuritySchemeProps: spec3.SecuritySchemeProps{
		Type: token.Type, Name: token.Name, In: token.In, Description: token.Description,
	}}}
	oa.V3Config.DefaultSecurity = required
	oa.Config.GetDefinitionName = servedOnly(namer.GetDefinitionName)
	oa.V3Config.GetDefinitionName = servedOnly(namer.GetDefinitionName)
}

const kindExtension = "x-kubernetes-group-version-kind"

// servedOnly leaves kinds of internal versions out: types have them too, as they are the in-memory types.
func servedOnly(name func(string) (string, spec.Extensions)) func(string) (string, spec.Extensions) {
	return func(goName string) (string, spec.Extensions) {
		short, about := name(goName)
		kinds, ok := about[kindExtension].([]any)
		if !ok {
			return short, about
		}
		var served []any
		for _, kind := range kinds {
			if fields, ok := kind.(map[string]any); !ok || fields["version"] != "__internal" {
				served = append(served, kind)
			}
		}
		if len(served) == 0 {
			return short, spec.Extensions{}
		}
		return short, spec.Extensions{kindExtension: served}
	}
}

// files are the documents by file name.
func (d *documents) files() (map[string][]byte, error) {
	files := map[string][]byte{}
	var err error
	if files["v2.json"], err = d.get("/openapi/v2", "application/json"); err != nil {
		return nil, err
	}
	if files["v2.pb"], err = d.get("/openapi/v2", "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"); err != nil {
		return nil, err
	}
	root, err := d.get("/openapi/v3", "application/json")
	if err != nil {
		return nil, err
	}
	var index struct{ Paths map[string]any }
	if err := json.Unmarshal(root, &index); err != nil {
		return nil, fmt.Errorf("reading the list of documents: %w", err)
	}
	for path := range index.Paths {
		if files["v3/"+strings.ReplaceAll(path, "/", ",")+".json"], err = d.get("/openapi/v3/"+path, "application/json"); err != nil {
			return nil, err
		}
	}
	files["types.json"], err = types(files)
	return files, err
}

func (d *documents) get(path, accept string) ([]byte, error) {
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	r.Header.Set("Accept", accept)
	answer := httptest.NewRecorder()
	d.handler.ServeHTTP(answer, r)
	if answer.Code != http.StatusOK {
		return nil, fmt.Errorf("getting %s: %d %s", path, answer.Code, answer.Body)
	}
	return answer.Body.Bytes(), nil
}

// types are the schemas of all types, without prose: what server-side apply needs. They are those of version 3, which say
// defaults: the keys of list items may have some, the protocol of a port say.
func types(files map[string][]byte) ([]byte, error) {
	all := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasPrefix(name, "v3/") {
			continue
		}
		var document struct {
			Components struct{ Schemas map[string]any }
		}
		if err := json.Unmarshal(files[name], &document); err != nil {
			return nil, fmt.Errorf("reading the types of %s: %w", name, err)
		}
		for name, schema := range document.Components.Schemas {
			all[name] = withoutProse(schema)
		}
	}
	return json.Marshal(all)
}

// withoutProse drops descriptions; properties called so are objects, not strings.
func withoutProse(schema any) any {
	switch s := schema.(type) {
	case map[string]any:
		for key, value := range s {
			if _, prose := value.(string); prose && key == "description" {
				delete(s, key)
				continue
			}
			s[key] = withoutProse(value)
		}
	case []any:
		for i := range s {
			s[i] = withoutProse(s[i])
		}
	}
	return schema
}
