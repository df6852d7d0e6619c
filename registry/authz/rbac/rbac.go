// Package rbac decides by Roles and their bindings.
//
// Bindings are found by subject in indexes of the shared informers, so that a request costs what its user's bindings cost,
// however many others there are.
package rbac

import (
	"context"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/informers"
	listers "k8s.io/client-go/listers/rbac/v1"
	"k8s.io/client-go/tools/cache"
)

// RBAC authorizes, resolves rules and guards against escalation. It reads informers and is safe for concurrent use.
type RBAC struct {
	clusterRoles    listers.ClusterRoleLister
	roles           listers.RoleLister
	clusterBindings cache.Indexer
	bindings        cache.Indexer
	synced          []cache.InformerSynced
}

// New adds four informers, with indexes, to the factory; these must not have been started.
func New(factory informers.SharedInformerFactory) (*RBAC, error) {
	v1 := factory.Rbac().V1()
	clusterBindings, bindings := v1.ClusterRoleBindings().Informer(), v1.RoleBindings().Informer()
	for _, informer := range []cache.SharedIndexInformer{clusterBindings, bindings} {
		if err := informer.AddIndexers(cache.Indexers{bySubject: subjects}); err != nil {
			return nil, fmt.Errorf("indexing role bindings: %w", err)
		}
	}
	return &RBAC{
		clusterRoles: v1.ClusterRoles().Lister(), roles: v1.Roles().Lister(),
		clusterBindings: clusterBindings.GetIndexer(), bindings: bindings.GetIndexer(),
		synced: []cache.InformerSynced{
			v1.ClusterRoles().Informer().HasSynced, v1.Roles().Informer().HasSynced, clusterBindings.HasSynced, bindings.HasSynced,
		},
	}, nil
}

// HasSynced reports whether all stored roles and bindings are known. Before, requests may be refused that will be allowed.
func (r *RBAC) HasSynced() bool {
	for _, synced := range r.synced {
		if !synced() {
			return false
		}
	}
	return true
}

// Authorize implements authorizer.UnconditionalAuthorizer. It allows or has no opinion.
func (r *RBAC) Authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	var reason string
	var errs []error
	r.visit(a.GetUser(), a.GetNamespace(), func(from grant, rules []rbacv1.PolicyRule, err error) bool {
		if err != nil {
			errs = append(errs, err)
		}
		if !Allows(a, rules) {
			return true
		}
		reason = "RBAC: allowed by " + from.String()
		return false
	})
	switch {
	case reason != "":
		return authorizer.DecisionAllow, reason, nil
	case len(errs) > 0:
		return authorizer.DecisionNoOpinion, fmt.Sprintf("RBAC: %v", utilerrors.NewAggregate(errs)), nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

// Rules are all that the user's bindings give in the namespace, cluster-wide ones included. An error means that some
// roles are missing; the rules are those of the others.
func (r *RBAC) Rules(u user.Info, namespace string) ([]rbacv1.PolicyRule, error) {
	var all []rbacv1.PolicyRule
	var errs []error
	r.visit(u, namespace, func(_ grant, rules []rbacv1.PolicyRule, err error) bool {
		all = append(all, rules...)
		if err != nil {
			errs = append(errs, err)
		}
		return true
	})
	return all, utilerrors.NewAggregate(errs)
}

// RulesFor implements authorizer.RuleResolver, for SelfSubjectRulesReview.
func (r *RBAC) RulesFor(_ context.Context, u user.Info, namespace string) ([]authorizer.ResourceRuleInfo, []authorizer.NonResourceRuleInfo, bool, error) {
	var resources []authorizer.ResourceRuleInfo
	var others []authorizer.NonResourceRuleInfo
	rules, err := r.Rules(u, namespace)
	for _, rule := range rules {
		if len(rule.Resources) > 0 {
			resources = append(resources, &authorizer.DefaultResourceRuleInfo{
				Verbs: rule.Verbs, APIGroups: rule.APIGroups, Resources: rule.Resources, ResourceNames: rule.ResourceNames,
			})
		}
		if len(rule.NonResourceURLs) > 0 {
			others = append(others, &authorizer.DefaultNonResourceRuleInfo{Verbs: rule.Verbs, NonResourceURLs: rule.NonResourceURLs})
		}
	}
	return resources, others, false, err
}
