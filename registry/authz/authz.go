// Package authz decides who may do what: members of system:masters everything, nodes what their Pods need, and users what RBAC
// gives them; health and version to everybody, by the role system:public-info-viewer.
package authz

import (
	"errors"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
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

// New puts the authorizers into their order, and those together that can enumerate a user's rules.
func New(c Config) (authorizer.Authorizer, authorizer.RuleResolver, error) {
	if c.RBAC == nil {
		return nil, nil, errors.New("authorization needs RBAC")
	}
	chain := []union.NamedAuthorizer{{AuthorizerName: "kubernetes.io/system-privileged-group", Authorizer: authorizerfactory.NewPrivilegedGroups(user.SystemPrivilegedGroup)}}
	var rules []authorizer.RuleResolver
	if c.Node != nil {
		chain, rules = append(chain, named("node", c.Node)), append(rules, c.Node)
	}
	chain, rules = append(chain, named("rbac", c.RBAC)), append(rules, c.RBAC)
	all, err := union.New(chain...)
	return all, union.NewRuleResolvers(rules...), err
}

// named is one, under the name by which refusals tell of it, that decides by the request alone, without conditions on the object in it.
func named(name string, a authorizer.UnconditionalAuthorizer) union.NamedAuthorizer {
	return union.NamedAuthorizer{AuthorizerName: name, Authorizer: authorizer.AuthorizerFunc(a.Authorize)}
}
