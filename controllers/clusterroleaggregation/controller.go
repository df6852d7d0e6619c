// Package clusterroleaggregation fills ClusterRoles that aggregate others with their rules.
package clusterroleaggregation

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	applyrbacv1 "k8s.io/client-go/applyconfigurations/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

// Name is the controller's, that of its service account in kube-system, and that of its field manager.
const Name = "clusterrole-aggregation-controller"

const workers = 5

type controller struct{ client client.Client }

// Register puts the controller on the manager. Every change of a ClusterRole wakes all that aggregate.
func Register(mgr manager.Manager, c client.Client) error {
	r := &controller{client: c}
	return loop.New(mgr, Name, workers).
		Watches(&rbacv1.ClusterRole{}, loop.ToRequests(r.aggregating)).
		Complete(loop.Contained(Name, reconcile.AsReconciler[*rbacv1.ClusterRole](c, r)))
}

func (r *controller) aggregating(ctx context.Context, _ client.Object) []reconcile.Request {
	var roles rbacv1.ClusterRoleList
	if err := r.client.List(ctx, &roles); err != nil {
		return nil
	}
	var requests []reconcile.Request
	for i := range roles.Items {
		if roles.Items[i].AggregationRule != nil {
			requests = append(requests, loop.Request("", roles.Items[i].Name))
		}
	}
	return requests
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, role *rbacv1.ClusterRole) (reconcile.Result, error) {
	if role.AggregationRule == nil {
		return reconcile.Result{}, nil
	}
	var roles rbacv1.ClusterRoleList
	if err := r.client.List(ctx, &roles); err != nil {
		return reconcile.Result{}, fmt.Errorf("listing cluster roles: %w", err)
	}
	rules, err := decide(role, roles.Items)
	if err != nil {
		return reconcile.Result{}, reconcile.TerminalError(fmt.Errorf("reading the selectors of cluster role %s: %w", role.Name, err))
	}
	if apiequality.Semantic.DeepEqual(rules, role.Rules) {
		return reconcile.Result{}, nil
	}
	wanted := applyrbacv1.ClusterRole(role.Name).WithRules(configurations(rules)...)
	if err := r.client.Apply(ctx, wanted, client.FieldOwner(Name), client.ForceOwnership); err != nil {
		return reconcile.Result{}, fmt.Errorf("applying the rules of cluster role %s: %w", role.Name, err)
	}
	return reconcile.Result{}, nil
}

// decide returns the rules of all roles that role selects, in the order of selectors and names, each rule once.
func decide(role *rbacv1.ClusterRole, roles []rbacv1.ClusterRole) ([]rbacv1.PolicyRule, error) {
	ordered := slices.Clone(roles)
	slices.SortFunc(ordered, func(a, b rbacv1.ClusterRole) int { return cmp.Compare(a.Name, b.Name) })
	var rules []rbacv1.PolicyRule
	for i := range role.AggregationRule.ClusterRoleSelectors {
		selector, err := metav1.LabelSelectorAsSelector(&role.AggregationRule.ClusterRoleSelectors[i])
		if err != nil {
			return nil, err
		}
		for j := range ordered {
			if ordered[j].Name == role.Name || !selector.Matches(labels.Set(ordered[j].Labels)) {
				continue
			}
			for _, rule := range ordered[j].Rules {
				same := func(other rbacv1.PolicyRule) bool { return apiequality.Semantic.DeepEqual(rule, other) }
				if !slices.ContainsFunc(rules, same) {
					rules = append(rules, rule)
				}
			}
		}
	}
	return rules, nil
}

func configurations(rules []rbacv1.PolicyRule) []*applyrbacv1.PolicyRuleApplyConfiguration {
	var all []*applyrbacv1.PolicyRuleApplyConfiguration
	for _, rule := range rules {
		c := applyrbacv1.PolicyRule()
		c.Verbs, c.APIGroups, c.Resources = rule.Verbs, rule.APIGroups, rule.Resources
		c.ResourceNames, c.NonResourceURLs = rule.ResourceNames, rule.NonResourceURLs
		all = append(all, c)
	}
	return all
}
