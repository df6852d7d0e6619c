// Package openapi serves OpenAPI documents: prebuilt ones of the built-in resources as they are, and those of custom
// resources and aggregated API servers when somebody asks for them.
package openapi

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	listers "k8s.io/apiextensions-apiserver/pkg/client/listers/apiextensions/v1"
)

// Config names the sources of documents.
type Config struct {
	// BuiltIn holds the prebuilt documents, as package generated/openapi describes. Nil: there are none.
	BuiltIn fs.FS
	// Serves reports whether what a prebuilt document of version 3 describes, under that path, is served here now; always if nil.
	Serves func(path string) bool
	// Definitions are the custom resources.
	Definitions listers.CustomResourceDefinitionLister
	// Aggregated are the API servers behind this one; may be nil.
	Aggregated *Aggregated
}

// Handler answers /openapi/v2 and /openapi/v3.
type Handler struct {
	config Config
	hashes map[string]string
	merged v2Cache
}

// New reads the hashes of the prebuilt documents.
func New(c Config) (*Handler, error) {
	h := &Handler{config: c, hashes: map[string]string{}}
	if c.BuiltIn == nil {
		return h, nil
	}
	encoded, err := fs.ReadFile(c.BuiltIn, "hashes.json")
	if err != nil {
		return nil, fmt.Errorf("reading the hashes of OpenAPI documents: %w", err)
	}
	if err := json.Unmarshal(encoded, &h.hashes); err != nil {
		return nil, fmt.Errorf("reading the hashes of OpenAPI documents: %w", err)
	}
	return h, nil
}

// Paths is where handlers are put.
type Paths interface {
	Handle(path string, handler http.Handler)
	HandlePrefix(path string, handler http.Handler)
}

// Install serves /openapi, whatever the method, as upstream does.
func (h *Handler) Install(paths Paths) {
	paths.Handle("/openapi/v2", http.HandlerFunc(h.serveV2))
	paths.Handle("/openapi/v3", http.HandlerFunc(h.serveIndex))
	paths.HandlePrefix("/openapi/v3/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.Trim(strings.TrimPrefix(r.URL.Path, "/openapi/v3"), "/")
		if path == "" {
			h.serveIndex(w, r)
			return
		}
		h.serveV3(w, r, path)
	}))
}

// builtIn is a prebuilt document, if there is one of the name.
func (h *Handler) builtIn(name string) (*document, error) {
	hash, ok := h.hashes[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	packed, err := fs.ReadFile(h.config.BuiltIn, name+".gz")
	if err != nil {
		return nil, fmt.Errorf("reading OpenAPI document %s: %w", name, err)
	}
	return &document{hash: hash, packed: packed}, nil
}
