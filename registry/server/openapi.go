package server

// OpenAPI is the prebuilt documents that describe the built-in resources.
type OpenAPI struct{}
