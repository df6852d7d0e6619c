package openapi

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"k8s.io/kube-openapi/pkg/handler3"
)

const (
	jsonType = "application/json"
	v3Proto  = "application/com.github.proto-openapi.spec.v3.v1.0+protobuf"
	v2Proto  = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
)

// formerly is how clients before 1.33 write the name of a protobuf format. It cannot be parsed as a media type, so that no
// answer has it.
func formerly(proto string) string { return strings.Replace(proto, ".v1.0", "@v1.0", 1) }

// serveIndex lists the documents of version 3 with their hashes, so that clients may keep them for ever.
func (h *Handler) serveIndex(w http.ResponseWriter, r *http.Request) {
	index := handler3.OpenAPIV3Discovery{Paths: map[string]handler3.OpenAPIV3DiscoveryGroupVersion{}}
	add := func(path, hash string) {
		index.Paths[path] = handler3.OpenAPIV3DiscoveryGroupVersion{ServerRelativeURL: relativeURL(path, hash)}
	}
	for name, hash := range h.hashes {
		if path, ok := v3Path(name); ok && h.serves(path) {
			add(path, hash)
		}
	}
	customs, err := h.customHashes()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for path, hash := range customs {
		add(path, hash)
	}
	if h.config.Aggregated != nil {
		for path, hash := range h.config.Aggregated.index(r.Context()) {
			add(path, hash)
		}
	}
	encoded, err := json.Marshal(index)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	newDocument(encoded).serve(w, r, jsonType)
}

func relativeURL(document, hash string) string {
	return (&url.URL{Path: path.Join("/openapi/v3", document), RawQuery: url.Values{"hash": {hash}}.Encode()}).String()
}

// v3Path is the URL's path of the prebuilt document of the name, if it is one of version 3.
func v3Path(name string) (string, bool) {
	name, ok := strings.CutPrefix(name, "v3/")
	return strings.ReplaceAll(strings.TrimSuffix(name, ".json"), ",", "/"), ok
}

func (h *Handler) serves(path string) bool { return h.config.Serves == nil || h.config.Serves(path) }

func (h *Handler) serveV3(w http.ResponseWriter, r *http.Request, path string) {
	var d *document
	err := error(fs.ErrNotExist)
	if h.serves(path) {
		d, err = h.builtIn("v3/" + strings.ReplaceAll(path, "/", ",") + ".json")
	}
	if errors.Is(err, fs.ErrNotExist) {
		d, err = h.custom(path)
	}
	if errors.Is(err, fs.ErrNotExist) && h.config.Aggregated != nil {
		if h.config.Aggregated.serve(w, r, path) {
			return
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		http.NotFound(w, r)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		serveVersioned(w, r, path, d)
	}
}

// serveVersioned sends clients that name an old hash to the current one; what has the right hash never changes.
func serveVersioned(w http.ResponseWriter, r *http.Request, path string, d *document) {
	if asked := r.URL.Query().Get("hash"); asked != "" && asked != d.hash {
		http.Redirect(w, r, relativeURL(path, d.hash), http.StatusMovedPermanently)
		return
	} else if asked != "" {
		w.Header().Set("Cache-Control", "public, immutable")
		w.Header().Set("Expires", time.Now().AddDate(1, 0, 0).Format(time.RFC1123))
	}
	switch accepted(r, jsonType, v3Proto, formerly(v3Proto)) {
	case "":
		w.WriteHeader(http.StatusNotAcceptable)
	case jsonType:
		d.serve(w, r, jsonType)
	default:
		plain, err := d.content()
		if err == nil {
			plain, err = handler3.ToV3ProtoBinary(plain)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		(&document{hash: d.hash, plain: plain}).serve(w, r, v3Proto)
	}
}
