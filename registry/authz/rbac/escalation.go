package rbac

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/component-helpers/auth/rbac/validation"
)

// Guard keeps users from granting what they do not hold themselves.
// See https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping.
type Guard struct {
	RBAC       *RBAC
	Authorizer authorizer.UnconditionalAuthorizer
}

// Role checks a role that the request's user writes: its rules must be held by the user, who may otherwise need the verb
// escalate. A role that aggregates others can become anything. The error is of the API.
func (g Guard) Role(ctx context.Context, name string, rules []rbacv1.PolicyRule, aggregates bool) error {
	if g.privileged(ctx) || g.may(ctx, "escalate", "", "", "") {
		return nil
	}
	if err := g.covers(ctx, rules); err != nil {
		return forbidden(ctx, name, err)
	}
	if !aggregates {
		return nil
	}
	everything := []rbacv1.PolicyRule{
		{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}},
		{NonResourceURLs: []string{"*"}, Verbs: []string{"*"}},
	}
	if g.covers(ctx, everything) != nil {
		return forbidden(ctx, name, errors.New("must have cluster-admin privileges to use the aggregationRule"))
	}
	return nil
}

// Binding checks a binding that the request's user writes: the rules of its role must be held by the user, who may
// otherwise need the verb bind on the role. The error is of the API.
func (g Guard) Binding(ctx context.Context, name string, ref rbacv1.RoleRef) error {
	namespace, _ := request.NamespaceFrom(ctx)
	resource := "clusterroles"
	if ref.Kind == "Role" {
		resource = "roles"
	}
	if g.privileged(ctx) || g.may(ctx, "bind", ref.APIGroup, resource, ref.Name) {
		return nil
	}
	rules, err := g.RBAC.RoleRules(ref, namespace)
	if apierrors.IsNotFound(err) {
		return apierrors.NewNotFound(resourceOf(ctx), ref.Name) // as if a binding was missing, as upstream has it
	}
	if err != nil {
		return err
	}
	if err := g.covers(ctx, rules); err != nil {
		return forbidden(ctx, name, err)
	}
	return nil
}

func (g Guard) privileged(ctx context.Context) bool {
	u, ok := request.UserFrom(ctx)
	return ok && slices.Contains(u.GetGroups(), user.SystemPrivilegedGroup)
}

// may asks for another verb on the role that the request is for, or on the given one.
func (g Guard) may(ctx context.Context, verb, group, resource, name string) bool {
	u, ok := request.UserFrom(ctx)
	info, found := request.RequestInfoFrom(ctx)
	if !ok || !found {
		return false
	}
	if resource == "" {
		group, resource, name = info.APIGroup, info.Resource, info.Name
	}
	namespace, _ := request.NamespaceFrom(ctx)
	decision, _, err := g.Authorizer.Authorize(ctx, authorizer.AttributesRecord{
		User: u, Verb: verb, APIGroup: group, APIVersion: "*", Resource: resource, Name: name, Namespace: namespace, ResourceRequest: true,
	})
	return err == nil && decision == authorizer.DecisionAllow
}

// covers reports as an error which of the rules the user does not hold.
func (g Guard) covers(ctx context.Context, rules []rbacv1.PolicyRule) error {
	u, ok := request.UserFrom(ctx)
	if !ok {
		return errors.New("no user on context")
	}
	namespace, _ := request.NamespaceFrom(ctx)
	held, unresolved := g.RBAC.Rules(u, namespace)
	ok, missing := validation.Covers(held, rules)
	if ok {
		return nil
	}
	var lines []string
	for _, rule := range join(missing) {
		lines = append(lines, compact(rule))
	}
	slices.Sort(lines)
	message := fmt.Sprintf("user %q (groups=%q) is attempting to grant RBAC permissions not currently held:\n%s",
		u.GetName(), u.GetGroups(), strings.Join(slices.Compact(lines), "\n"))
	if unresolved != nil {
		message += fmt.Sprintf("; resolution errors: %v", unresolved)
	}
	return errors.New(message)
}

// join puts together what concerns the same single resource and differs in verbs only; others stay as they are.
func join(rules []rbacv1.PolicyRule) []rbacv1.PolicyRule {
	var joined []rbacv1.PolicyRule
	at := map[string]int{}
	for _, rule := range rules {
		if len(rule.APIGroups) != 1 || len(rule.Resources) != 1 || len(rule.ResourceNames) > 1 || len(rule.NonResourceURLs) > 0 {
			joined = append(joined, rule)
			continue
		}
		key := rule.APIGroups[0] + "\x00" + rule.Resources[0] + "\x00" + strings.Join(rule.ResourceNames, "")
		i, known := at[key]
		if !known {
			i = len(joined)
			at[key] = i
			joined = append(joined, rule)
			continue
		}
		joined[i].Verbs = append(slices.Clip(joined[i].Verbs), rule.Verbs...)
	}
	return joined
}

func compact(rule rbacv1.PolicyRule) string {
	var parts []string
	for _, part := range []struct {
		name   string
		values []string
	}{
		{"APIGroups", rule.APIGroups}, {"Resources", rule.Resources}, {"NonResourceURLs", rule.NonResourceURLs},
		{"ResourceNames", rule.ResourceNames}, {"Verbs", rule.Verbs},
	} {
		if len(part.values) > 0 {
			parts = append(parts, fmt.Sprintf("%s:%q", part.name, part.values))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func forbidden(ctx context.Context, name string, err error) error {
	return apierrors.NewForbidden(resourceOf(ctx), name, err)
}

// resourceOf is what the request writes.
func resourceOf(ctx context.Context) schema.GroupResource {
	if info, ok := request.RequestInfoFrom(ctx); ok {
		return schema.GroupResource{Group: info.APIGroup, Resource: info.Resource}
	}
	return schema.GroupResource{Group: rbacv1.GroupName}
}
