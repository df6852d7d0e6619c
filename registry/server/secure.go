package server

import (
	"fmt"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/dynamic"

	"github.com/coracle-k8s/coracle/registry/admission"
	"github.com/coracle-k8s/coracle/registry/admissionregistration"
	"github.com/coracle-k8s/coracle/registry/authn"
	"github.com/coracle-k8s/coracle/registry/authn/serviceaccount"
	"github.com/coracle-k8s/coracle/registry/authz"
	"github.com/coracle-k8s/coracle/registry/authz/node"
	"github.com/coracle-k8s/coracle/registry/authz/rbac"
	"github.com/coracle-k8s/coracle/registry/inprocess"
)

// issueTokens prepares tokens of service accounts, if they can be signed.
func (s *Server) issueTokens() (err error) {
	c := s.config.ServiceAccounts
	if c.Signer == nil {
		return nil
	}
	live := serviceaccount.Live(s.client)
	s.tokens, err = serviceaccount.New(serviceaccount.Config{
		Issuer: c.Issuer, Audiences: c.Audiences, Signer: c.Signer, Public: c.Public,
		Known: serviceaccount.Cached(s.informers, live), Current: live, Secrets: s.client.CoreV1(),
	})
	if err != nil {
		return fmt.Errorf("issuing service account tokens: %w", err)
	}
	return nil
}

// authorize says who may do what.
func (s *Server) authorize() error {
	roles, err := rbac.New(s.informers)
	if err != nil {
		return fmt.Errorf("reading roles: %w", err)
	}
	nodes, err := node.New(s.informers)
	if err != nil {
		return fmt.Errorf("authorizing nodes: %w", err)
	}
	if s.authorizer, s.rules, err = authz.New(authz.Config{RBAC: roles, Node: nodes}); err != nil {
		return err
	}
	s.guard = rbac.Guard{RBAC: roles, Authorizer: s.authorizer}
	s.generic.Authorization.Authorizer = s.authorizer
	return nil
}

// authenticate says who somebody is.
func (s *Server) authenticate() error {
	c := authn.Config{
		InProcess: inprocess.Authenticator(),
		ClientCA:  s.config.ClientCA,
		Secrets:   s.informers.Core().V1().Secrets().Lister(),
	}
	if s.tokens != nil {
		c.ServiceAccounts, c.Audiences = s.tokens, s.tokens.Audiences()
		s.generic.Authentication.APIAudiences = c.Audiences
	}
	if len(s.config.FrontProxy.CA) > 0 {
		proxies, err := authn.RequestHeader(s.config.FrontProxy.CA, s.config.FrontProxy.Names...)
		if err != nil {
			return err
		}
		c.RequestHeader, s.generic.Authentication.RequestHeaderConfig = proxies, proxies
	}
	authenticator, err := authn.New(c)
	if err != nil {
		return fmt.Errorf("preparing authentication: %w", err)
	}
	s.generic.Authentication.Authenticator = authenticator
	return nil
}

// admit says what may be written.
func (s *Server) admit() error {
	loopback, err := dynamic.NewForConfig(s.generic.LoopbackClientConfig)
	if err != nil {
		return fmt.Errorf("making the server's own client: %w", err)
	}
	s.generic.AdmissionControl, err = admission.New(admission.Config{
		Client: s.client, Dynamic: loopback, Loopback: s.forWebhooks(), Informers: s.informers,
		Exempt:     func(u user.Info) bool { return u == s.self },
		Authorizer: s.authorizer, Services: s.resolver(), Mapper: s.mapper, Features: s.generic.FeatureGate, Version: s.generic.EffectiveVersion,
		ServerID: s.generic.APIServerID, Drained: s.generic.DrainedNotify(),
		ConfigFile: s.config.AdmissionConfigFile, Manifests: admissionregistration.Manifests(),
	})
	return err
}
