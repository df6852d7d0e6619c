// Package authn finds out who makes a request.
package authn

import (
	"time"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authentication/group"
	"k8s.io/apiserver/pkg/authentication/request/bearertoken"
	"k8s.io/apiserver/pkg/authentication/request/union"
	"k8s.io/apiserver/pkg/authentication/request/websocket"
	"k8s.io/apiserver/pkg/authentication/token/cache"
	tokenunion "k8s.io/apiserver/pkg/authentication/token/union"
	listers "k8s.io/client-go/listers/core/v1"
)

// tokenMemory is how long an accepted token is accepted without looking again: that is how late a revocation may be.
const tokenMemory = 10 * time.Second

// Config names the sources of identity. Each may be left out.
type Config struct {
	// InProcess knows the user of requests that did not come over a socket. It stands first: headers of such requests say
	// nothing about the user.
	InProcess authenticator.Request
	// RequestHeader says which proxies may name the user; see RequestHeader.
	RequestHeader *authenticatorfactory.RequestHeaderConfig
	// ClientCA, in PEM, signs users' certificates: the common name is the user, organizations are groups.
	ClientCA []byte
	// ServiceAccounts verifies the tokens of service accounts.
	ServiceAccounts authenticator.Token
	// Secrets hold the tokens of nodes that join.
	Secrets listers.SecretLister
	// Audiences of the API server.
	Audiences authenticator.Audiences
}

// New puts the authenticators into their order. Nobody is anonymous but who asks for health or version.
func New(c Config) (authenticator.Request, error) {
	var chain []authenticator.Request
	if c.InProcess != nil {
		chain = append(chain, c.InProcess)
	}
	if c.RequestHeader != nil {
		chain = append(chain, authenticator.WrapAudienceAgnosticRequest(c.Audiences, requestHeader(c.RequestHeader)))
	}
	if len(c.ClientCA) > 0 {
		certificates, err := clientCertificates(c.ClientCA)
		if err != nil {
			return nil, err
		}
		chain = append(chain, authenticator.WrapAudienceAgnosticRequest(c.Audiences, certificates))
	}
	if tokens := c.tokens(); tokens != nil {
		chain = append(chain, bearertoken.New(tokens), websocket.NewProtocolAuthenticator(tokens))
	}
	known := group.NewAuthenticatedGroupAdder(union.New(chain...))
	return union.NewFailOnError(known, anonymous()), nil
}

func (c Config) tokens() authenticator.Token {
	var chain []authenticator.Token
	if c.ServiceAccounts != nil {
		chain = append(chain, c.ServiceAccounts)
	}
	if c.Secrets != nil {
		chain = append(chain, authenticator.WrapAudienceAgnosticToken(c.Audiences, newBootstrapTokens(c.Secrets)))
	}
	if len(chain) == 0 {
		return nil
	}
	return cache.New(tokenunion.New(chain...), true, tokenMemory, 0)
}
