package rbac

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/authorization/authorizer"
)

// Allows reports whether one of the rules allows the request. It allocates nothing.
func Allows(a authorizer.Attributes, rules []rbacv1.PolicyRule) bool {
	for i := range rules {
		if allows(a, &rules[i]) {
			return true
		}
	}
	return false
}

func allows(a authorizer.Attributes, rule *rbacv1.PolicyRule) bool {
	if !has(rule.Verbs, a.GetVerb()) {
		return false
	}
	if !a.IsResourceRequest() {
		return slices.ContainsFunc(rule.NonResourceURLs, func(url string) bool { return matchesURL(url, a.GetPath()) })
	}
	return has(rule.APIGroups, a.GetAPIGroup()) && hasResource(rule.Resources, a.GetResource(), a.GetSubresource()) &&
		(len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, a.GetName()))
}

func has(list []string, wanted string) bool {
	for _, s := range list {
		if s == "*" || s == wanted {
			return true
		}
	}
	return false
}

// hasResource knows the forms *, resource, resource/subresource and */subresource.
func hasResource(list []string, resource, subresource string) bool {
	for _, s := range list {
		if s == "*" {
			return true
		}
		if subresource == "" {
			if s == resource {
				return true
			}
			continue
		}
		parent, ok := strings.CutSuffix(s, subresource)
		if ok && (parent == "*/" || strings.TrimSuffix(parent, "/") == resource && len(parent) == len(resource)+1) {
			return true
		}
	}
	return false
}

// matchesURL knows the forms * and /prefix*.
func matchesURL(rule, path string) bool {
	if rule == "*" || rule == path {
		return true
	}
	prefix := strings.TrimRight(rule, "*")
	return len(prefix) < len(rule) && strings.HasPrefix(path, prefix)
}
