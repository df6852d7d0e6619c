package openapi

import (
	"context"
	"net/http"
)

// Aggregated gets the documents of other API servers.
type Aggregated interface {
	// Index is hashes by path of the documents of those that answer.
	Index(ctx context.Context) map[string]string
	// Serve answers with the document at the path, if one of them has it.
	Serve(w http.ResponseWriter, r *http.Request, path string) bool
}
