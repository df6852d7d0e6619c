package openapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	openapi_v2 "github.com/google/gnostic-models/openapiv2"
	"google.golang.org/protobuf/proto"
	"k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// v2Cache is the one document of version 2 when there are custom resources, as last asked for.
type v2Cache struct {
	mu          sync.Mutex
	of          string // what it was made of
	json, proto *document
}

func (h *Handler) serveV2(w http.ResponseWriter, r *http.Request) {
	mediaType := accepted(r, jsonType, v2Proto, formerly(v2Proto))
	if mediaType == "" {
		w.WriteHeader(http.StatusNotAcceptable)
		return
	}
	d, err := h.v2(mediaType != jsonType)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if mediaType != jsonType {
		mediaType = v2Proto
	}
	d.serve(w, r, mediaType)
}

// v2 is the prebuilt document, or one merged of it and the custom resources'.
func (h *Handler) v2(asProto bool) (*document, error) {
	all, err := h.customs()
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		if asProto {
			return h.builtIn("v2.pb")
		}
		return h.builtIn("v2.json")
	}
	made := ""
	for _, s := range all {
		made += s.version + madeOf(s.definition)
	}
	h.merged.mu.Lock()
	defer h.merged.mu.Unlock()
	if h.merged.of != made {
		if err := h.mergeV2(all); err != nil {
			return nil, err
		}
		h.merged.of = made
	}
	if !asProto {
		return h.merged.json, nil
	}
	if h.merged.proto == nil {
		parsed, err := openapi_v2.ParseDocument(h.merged.json.plain)
		if err != nil {
			return nil, fmt.Errorf("parsing the OpenAPI document: %w", err)
		}
		encoded, err := proto.Marshal(parsed)
		if err != nil {
			return nil, fmt.Errorf("encoding the OpenAPI document: %w", err)
		}
		h.merged.proto = newDocument(encoded)
	}
	return h.merged.proto, nil
}

// mergeV2 is called with the cache's lock held.
func (h *Handler) mergeV2(all []served) error {
	builtIn, err := h.builtIn("v2.json")
	if err != nil {
		return err
	}
	plain, err := builtIn.content()
	if err != nil {
		return err
	}
	var whole spec.Swagger
	if err := json.Unmarshal(plain, &whole); err != nil {
		return fmt.Errorf("reading the prebuilt OpenAPI document: %w", err)
	}
	var customs []*spec.Swagger
	for _, s := range all {
		custom, err := builder.BuildOpenAPIV2(s.definition, s.version, builder.Options{V2: true})
		if err != nil {
			return fmt.Errorf("describing %s: %w", s.definition.Name, err)
		}
		customs = append(customs, custom)
	}
	merged, err := builder.MergeSpecs(&whole, customs...)
	if err != nil {
		return fmt.Errorf("merging what describes custom resources: %w", err)
	}
	encoded, err := json.Marshal(merged)
	if err != nil {
		return fmt.Errorf("encoding the OpenAPI document: %w", err)
	}
	h.merged.json, h.merged.proto = newDocument(encoded), nil
	return nil
}
