package server

import (
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/authorization/path"
	"k8s.io/apiserver/pkg/authorization/union"

	"github.com/coracle-k8s/coracle/registry/authn"
	"github.com/coracle-k8s/coracle/registry/inprocess"
)

// secure says who may do what: authentication, authorization, admission.
func (s *Server) secure() error {
	c := authn.Config{InProcess: inprocess.Authenticator(), ClientCA: s.config.ClientCA, Audiences: s.config.ServiceAccounts.Audiences}
	if len(s.config.FrontProxy.CA) > 0 {
		proxies, err := authn.RequestHeader(s.config.FrontProxy.CA, s.config.FrontProxy.Names...)
		if err != nil {
			return err
		}
		c.RequestHeader = proxies
		s.generic.Authentication.RequestHeaderConfig = proxies
	}
	authenticator, err := authn.New(c)
	if err != nil {
		return err
	}
	s.generic.Authentication.Authenticator = authenticator
	public, err := path.NewAuthorizer([]string{"/healthz", "/livez", "/readyz", "/version", "/version/"})
	if err != nil {
		return err
	}
	s.generic.Authorization.Authorizer = union.New(authorizerfactory.NewPrivilegedGroups("system:masters"), public)
	return nil
}
