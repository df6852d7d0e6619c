package authn

import (
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	library "k8s.io/apiserver/pkg/authentication/request/anonymous"
)

// anonymous lets anybody ask whether the server lives and what it is, as load balancers and installers do.
func anonymous() authenticator.Request {
	var conditions []apiserver.AnonymousAuthCondition
	for _, path := range []string{"/livez", "/readyz", "/healthz", "/version", "/version/"} {
		conditions = append(conditions, apiserver.AnonymousAuthCondition{Path: path})
	}
	return library.NewAuthenticator(conditions)
}
