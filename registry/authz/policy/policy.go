// Package policy is the RBAC policy that every cluster begins with, and brings stored policy up to it.
//
// The policy is upstream's, in policy.json: see https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings.
// What is ours is in own.go.
package policy

import (
	_ "embed" // policy.json
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/apis/rbac"
)

const aggregateLabel = "rbac.authorization.k8s.io/aggregate-to-"

//go:embed policy.json
var data []byte

// Policy is a set of roles and bindings.
type Policy struct {
	ClusterRoles        []*rbacv1.ClusterRole
	ClusterRoleBindings []*rbacv1.ClusterRoleBinding
	Roles               []*rbacv1.Role
	RoleBindings        []*rbacv1.RoleBinding
}

// role and binding are the compact form of policy.json.
type role struct {
	Name, Namespace string
	// AggregateTo are the aggregated roles (admin, edit, view) that this one is part of; Aggregates says that this is one.
	AggregateTo, Aggregates string
	Rules                   []rbacv1.PolicyRule
}

type binding struct {
	Name, Namespace string
	// Role is a ClusterRole for cluster role bindings, a Role of the namespace for others.
	Role string
	// Subjects are "User name", "Group name" or "ServiceAccount namespace/name".
	Subjects []string
}

// Default returns upstream's policy and ours, each object anew.
func Default() (*Policy, error) {
	p, err := upstream()
	if err != nil {
		return nil, err
	}
	p.add(own())
	p.sort()
	return p, aggregate(p.ClusterRoles)
}

func upstream() (*Policy, error) {
	var all compact
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("reading the default RBAC policy: %w", err)
	}
	p := &Policy{}
	p.add(all)
	p.sort()
	return p, aggregate(p.ClusterRoles)
}

func (p *Policy) sort() {
	slices.SortFunc(p.ClusterRoles, func(a, b *rbacv1.ClusterRole) int { return strings.Compare(a.Name, b.Name) })
}

func (p *Policy) add(c compact) {
	for _, r := range c.ClusterRoles {
		p.ClusterRoles = append(p.ClusterRoles, r.clusterRole())
	}
	for _, r := range c.Roles {
		p.Roles = append(p.Roles, &rbacv1.Role{ObjectMeta: meta(r.Name, r.Namespace), Rules: r.Rules})
	}
	for _, b := range c.ClusterRoleBindings {
		p.ClusterRoleBindings = append(p.ClusterRoleBindings, b.clusterRoleBinding())
	}
	for _, b := range c.RoleBindings {
		p.RoleBindings = append(p.RoleBindings, b.roleBinding())
	}
}

// NodeRules are what all nodes may do alike; the node authorizer restricts some of it further.
func NodeRules() ([]rbacv1.PolicyRule, error) {
	p, err := upstream()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(p.ClusterRoles, func(r *rbacv1.ClusterRole) bool { return r.Name == "system:node" })
	if i < 0 {
		return nil, fmt.Errorf("the default RBAC policy has no role system:node")
	}
	return p.ClusterRoles[i].Rules, nil
}

// aggregate fills in the rules of aggregated roles. The list is sorted by name, so that edit, which is part of admin, comes
// after it: one more round is made as long as something changes.
func aggregate(roles []*rbacv1.ClusterRole) error {
	for changed := true; changed; {
		changed = false
		for _, r := range roles {
			if r.AggregationRule == nil {
				continue
			}
			rules, err := rbac.Aggregate(r, roles)
			if err != nil {
				return fmt.Errorf("aggregating rules of %s: %w", r.Name, err)
			}
			changed = changed || len(rules) != len(r.Rules)
			r.Rules = rules
		}
	}
	return nil
}

func meta(name, namespace string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: name, Namespace: namespace,
		Labels:      map[string]string{"kubernetes.io/bootstrapping": "rbac-defaults"},
		Annotations: map[string]string{rbacv1.AutoUpdateAnnotationKey: "true"},
	}
}

func (r role) clusterRole() *rbacv1.ClusterRole {
	c := &rbacv1.ClusterRole{ObjectMeta: meta(r.Name, ""), Rules: r.Rules}
	for to := range strings.FieldsSeq(r.AggregateTo) {
		c.Labels[aggregateLabel+to] = "true"
	}
	if r.Aggregates != "" {
		c.AggregationRule = &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{
			{MatchLabels: map[string]string{aggregateLabel + r.Aggregates: "true"}},
		}}
	}
	return c
}

func (b binding) clusterRoleBinding() *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{ObjectMeta: meta(b.Name, ""), Subjects: b.subjects(), RoleRef: roleRef("ClusterRole", b.Role)}
}

func (b binding) roleBinding() *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{ObjectMeta: meta(b.Name, b.Namespace), Subjects: b.subjects(), RoleRef: roleRef("Role", b.Role)}
}

func roleRef(kind, name string) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: name}
}

func (b binding) subjects() []rbacv1.Subject {
	var list []rbacv1.Subject
	for _, s := range b.Subjects {
		kind, name, _ := strings.Cut(s, " ")
		subject := rbacv1.Subject{Kind: kind, APIGroup: rbacv1.GroupName, Name: name}
		if kind == rbacv1.ServiceAccountKind {
			subject.APIGroup = ""
			subject.Namespace, subject.Name, _ = strings.Cut(name, "/")
		}
		list = append(list, subject)
	}
	return list
}
