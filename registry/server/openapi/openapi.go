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
	// Definitions are the custom resources.
	Definitions listers.CustomResourceDefinitionLister
	// Aggregated are the other API servers behind this one; may be nil.
	Aggregated Aggregated
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

// Or serves /openapi itself and leaves all else to next.
func (h *Handler) Or(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, ok := strings.CutPrefix(r.URL.Path, "/openapi/")
		switch {
		case !ok:
			next.ServeHTTP(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		case path == "v2":
			h.serveV2(w, r)
		case path == "v3" || path == "v3/":
			h.serveIndex(w, r)
		case strings.HasPrefix(path, "v3/"):
			h.serveV3(w, r, strings.TrimPrefix(path, "v3/"))
		default:
			next.ServeHTTP(w, r)
		}
	})
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
