// Package authorization answers questions about what users may do: the API of authorization.k8s.io.
package authorization

import (
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/coracle-k8s/coracle/registry/resource"
	"github.com/coracle-k8s/coracle/registry/review"
)

// Config is what the endpoints need.
type Config struct {
	Authorizer authorizer.UnconditionalAuthorizer
	Rules      authorizer.RuleResolver
}

// Endpoints of the group.
func Endpoints(c Config) resource.Storage {
	return resource.Storage{authorizationv1.SchemeGroupVersion: map[string]rest.Storage{
		"localsubjectaccessreviews": review.Endpoint("localsubjectaccessreview", true, c.reviewLocal),
		"selfsubjectaccessreviews":  review.Endpoint("selfsubjectaccessreview", false, c.reviewSelf),
		"selfsubjectrulesreviews":   review.Endpoint("selfsubjectrulesreview", false, c.reviewRules),
		"subjectaccessreviews":      review.Endpoint("subjectaccessreview", false, c.reviewSubject),
	}}
}
