// Package view is a web page that shows a cluster, and what serves it: by coracle ui on loopback, with the credentials of a
// kubeconfig, or by the API server at /ui, for who signs in with a token. It has no rights of its own, and asks nobody but the API.
package view

import "net/http"

// root is where the page lives. All beneath it is this package's, all else the API's.
const root = "/ui"

// How the page reaches the API, as its root element tells it.
const (
	modeLocal  = "local"  // through Local, with a session
	modeServer = "server" // directly, with a bearer token
)

// Page serves the page for an API server, at /ui. It holds nothing but the page: requests for objects go to the API itself.
func Page() http.Handler { return page(modeServer) }

// policy is the page's Content-Security-Policy: its own files and its own origin, and nothing that is written into markup.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; manifest-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// sealed is for what comes from the API: should it ever be opened as a page, it can do nothing.
const sealed = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"

// secure says to browsers what nobody may do with an answer.
func secure(h http.Header, policy string) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
}
