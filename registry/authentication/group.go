// Package authentication answers questions about users: the API of authentication.k8s.io.
package authentication

import (
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/coracle-k8s/coracle/registry/resource"
	"github.com/coracle-k8s/coracle/registry/review"
)

// Config is what the endpoints need.
type Config struct {
	// Authenticator finds the user of a request that bears the reviewed token, and nothing else.
	Authenticator authenticator.Request
	// Audiences of the API server, for reviews that name none.
	Audiences authenticator.Audiences
}

// Endpoints of the group.
func Endpoints(c Config) resource.Storage {
	return resource.Storage{authenticationv1.SchemeGroupVersion: map[string]rest.Storage{
		"selfsubjectreviews": review.Endpoint("selfsubjectreview", false, reviewSelf),
		"tokenreviews":       review.Endpoint("tokenreview", false, c.reviewToken),
	}}
}
