package openapi

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apihelpers"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/kube-openapi/pkg/spec3"
)

// served is one version of a custom resource.
type served struct {
	definition *apiextensionsv1.CustomResourceDefinition
	version    string
}

func (s served) path() string { return "apis/" + s.definition.Spec.Group + "/" + s.version }

// customs are the served versions of all custom resources, in the order of their names.
func (h *Handler) customs() ([]served, error) {
	if h.config.Definitions == nil {
		return nil, nil
	}
	definitions, err := h.config.Definitions.List(labels.Everything())
	if err != nil {
		return nil, fmt.Errorf("listing CustomResourceDefinitions: %w", err)
	}
	slices.SortFunc(definitions, func(a, b *apiextensionsv1.CustomResourceDefinition) int { return strings.Compare(a.Name, b.Name) })
	var all []served
	for _, d := range definitions {
		if !apihelpers.IsCRDConditionTrue(d, apiextensionsv1.Established) {
			continue
		}
		for _, v := range d.Spec.Versions {
			if v.Served {
				all = append(all, served{d, v.Name})
			}
		}
	}
	return all, nil
}

// customHashes are those of the documents of custom resources, by path. They say which definitions in which generation a
// document is made of: no document needs to be built to know them.
func (h *Handler) customHashes() (map[string]string, error) {
	all, err := h.customs()
	if err != nil {
		return nil, err
	}
	made := map[string]string{}
	for _, s := range all {
		made[s.path()] += madeOf(s.definition)
	}
	for path, of := range made {
		made[path] = hashOf([]byte(of))
	}
	return made, nil
}

func madeOf(d *apiextensionsv1.CustomResourceDefinition) string {
	return fmt.Sprintf("%s/%d\n", d.UID, d.Generation)
}

// custom builds the document of the custom resources of one group version.
func (h *Handler) custom(path string) (*document, error) {
	all, err := h.customs()
	if err != nil {
		return nil, err
	}
	var specs []*spec3.OpenAPI
	made := ""
	for _, s := range all {
		if s.path() != path {
			continue
		}
		spec, err := builder.BuildOpenAPIV3(s.definition, s.version, builder.Options{IncludeSelectableFields: true})
		if err != nil {
			return nil, fmt.Errorf("describing %s: %w", s.definition.Name, err)
		}
		specs, made = append(specs, spec), made+madeOf(s.definition)
	}
	if len(specs) == 0 {
		return nil, fs.ErrNotExist
	}
	merged, err := builder.MergeSpecsV3(specs...)
	if err != nil {
		return nil, fmt.Errorf("merging what describes %s: %w", path, err)
	}
	encoded, err := json.Marshal(merged)
	if err != nil {
		return nil, fmt.Errorf("encoding what describes %s: %w", path, err)
	}
	return &document{hash: hashOf([]byte(made)), plain: encoded}, nil
}
