// Package api tests the API server from outside, through HTTP, on servers that each test starts for itself.
package api
