// Package openapi holds the prebuilt OpenAPI documents of the built-in resources.
package openapi

import (
	"embed"
	"io/fs"
)

//go:embed documents
var documents embed.FS

// Documents are compressed with gzip: v2.json.gz, v2.pb.gz, v3/GROUP,VERSION.json.gz (the URL's path, with commas), types.json.gz
// (all types, without prose) and, uncompressed, hashes.json (SHA-512 of each document).
func Documents() (fs.FS, error) { return fs.Sub(documents, "documents") }
