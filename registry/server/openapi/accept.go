package openapi

import (
	"net/http"

	"github.com/munnerz/goautoneg"
)

// accepted is the offered media type that the client likes best, or none.
func accepted(r *http.Request, offered ...string) string {
	header := r.Header.Get("Accept")
	if header == "" {
		return offered[0]
	}
	return goautoneg.Negotiate(header, offered)
}
