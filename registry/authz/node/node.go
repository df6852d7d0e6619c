// Package node lets nodes read what their Pods need, and no more.
//
// What a node's Pods refer to is looked up when it asks: there is no graph to keep. A node has some hundred Pods at most and
// asks when a Pod starts.
// See https://kubernetes.io/docs/reference/access-authn-authz/node/.
package node

import (
	"context"
	"errors"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/informers"

	"github.com/coracle-k8s/coracle/registry/authz/policy"
)

const (
	userPrefix = "system:node:"
	group      = "system:nodes"
	leases     = "kube-node-lease"
)

// Name is the node that a user is. ok is false for other users; the name is empty for members of the group system:nodes that
// are no particular node.
func Name(u user.Info) (name string, ok bool) {
	if u == nil || !strings.HasPrefix(u.GetName(), userPrefix) || !slices.Contains(u.GetGroups(), group) {
		return "", false
	}
	return strings.TrimPrefix(u.GetName(), userPrefix), true
}

// Authorizer allows, or has no opinion. It reads informers and is safe for concurrent use.
type Authorizer struct {
	related related
	rules   []rbacv1.PolicyRule
}

// New adds informers, some with indexes, to the factory; these must not have been started.
func New(factory informers.SharedInformerFactory) (*Authorizer, error) {
	related, err := newRelated(factory)
	if err != nil {
		return nil, err
	}
	rules, err := policy.NodeRules()
	if err != nil {
		return nil, err
	}
	return &Authorizer{related: related, rules: rules}, nil
}

// RulesFor implements authorizer.RuleResolver: a node's rules cannot be enumerated.
func (n *Authorizer) RulesFor(_ context.Context, u user.Info, _ string) ([]authorizer.ResourceRuleInfo, []authorizer.NonResourceRuleInfo, bool, error) {
	if _, ok := Name(u); ok {
		return nil, nil, true, errors.New("node authorizer does not support user rule resolution")
	}
	return nil, nil, false, nil
}
