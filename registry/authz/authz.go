// Package authz decides who may do what: members of system:masters everything, everybody health and version, nodes what
// their Pods need, and users what RBAC gives them.
package authz

import (
	"errors"
	"fmt"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/authorization/path"
	"k8s.io/apiserver/pkg/authorization/union"

	"github.com/coracle-k8s/coracle/registry/authz/node"
	"github.com/coracle-k8s/coracle/registry/authz/rbac"
)

// Config names the authorizers.
type Config struct {
	RBAC *rbac.RBAC
	// Node may be nil: then nodes have what RBAC gives them.
	Node *node.Authorizer
}

// publicPaths are for everybody, before any policy is stored: /readyz says when it is.
func publicPaths() []string {
	return []string{"/livez", "/readyz", "/healthz", "/version", "/version/"}
}

// New puts the authorizers into their order, and those together that can enumerate a user's rules.
func New(c Config) (authorizer.Authorizer, authorizer.RuleResolver, error) {
	if c.RBAC == nil {
		return nil, nil, errors.New("authorization needs RBAC")
	}
	public, err := path.NewAuthorizer(publicPaths())
	if err != nil {
		return nil, nil, fmt.Errorf("preparing authorization: %w", err)
	}
	chain := []authorizer.Authorizer{authorizerfactory.NewPrivilegedGroups(user.SystemPrivilegedGroup), public}
	var rules []authorizer.RuleResolver
	if c.Node != nil {
		chain, rules = append(chain, c.Node), append(rules, c.Node)
	}
	chain, rules = append(chain, c.RBAC), append(rules, c.RBAC)
	return union.New(chain...), union.NewRuleResolvers(rules...), nil
}
