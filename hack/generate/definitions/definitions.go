// Package definitions holds what openapi-gen makes of the API's types, while documents are generated. It is not kept.
package definitions
