package admissionregistration

import (
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

const maxConditions = 64

func (s stored) addConditions(conditions []admissionv1.MatchCondition) {
	for _, c := range conditions {
		s.add(UseMatch, c.Expression)
	}
}

// validateRule checks which requests are meant.
func validateRule(r *admissionv1.RuleWithOperations, at *field.Path) (errs field.ErrorList) {
	operations := at.Child("operations")
	if len(r.Operations) == 0 {
		errs = append(errs, field.Required(operations, ""))
	}
	if len(r.Operations) > 1 && slices.Contains(r.Operations, admissionv1.OperationAll) {
		errs = append(errs, field.Invalid(operations, r.Operations, "if '*' is present, must not specify other operations"))
	}
	for i, operation := range r.Operations {
		errs = append(errs, rule.OneOf(operation, operations.Index(i), admissionv1.OperationAll, admissionv1.Connect, admissionv1.Create, admissionv1.Delete, admissionv1.Update)...)
	}
	errs = append(errs, validateNames(r.APIGroups, "API groups", at.Child("apiGroups"))...)
	errs = append(errs, validateNames(r.APIVersions, "API versions", at.Child("apiVersions"))...)
	for i, version := range r.APIVersions {
		if version == "" {
			errs = append(errs, field.Required(at.Child("apiVersions").Index(i), ""))
		}
	}
	errs = append(errs, validateResources(r.Resources, at.Child("resources"))...)
	if r.Scope != nil {
		errs = append(errs, rule.OneOf(*r.Scope, at.Child("scope"), admissionv1.AllScopes, admissionv1.ClusterScope, admissionv1.NamespacedScope)...)
	}
	return errs
}

func validateNames(names []string, what string, at *field.Path) (errs field.ErrorList) {
	if len(names) == 0 {
		errs = append(errs, field.Required(at, ""))
	}
	if len(names) > 1 && slices.Contains(names, "*") {
		errs = append(errs, field.Invalid(at, names, "if '*' is present, must not specify other "+what))
	}
	return errs
}

// validateResources refuses resources that earlier ones include.
func validateResources(resources []string, at *field.Path) (errs field.ErrorList) {
	if len(resources) == 0 {
		errs = append(errs, field.Required(at, ""))
	}
	allSubresourcesOf, allResourcesWith := map[string]bool{}, map[string]bool{}
	plain := false
	for i, name := range resources {
		if name == "" {
			errs = append(errs, field.Required(at.Index(i), ""))
			continue
		}
		resource, sub, found := strings.Cut(name, "/")
		if !found {
			plain = name != "*"
			continue
		}
		if allSubresourcesOf[resource] {
			errs = append(errs, field.Invalid(at.Index(i), name, fmt.Sprintf("if '%s/*' is present, must not specify %s", resource, name)))
		}
		if allResourcesWith[sub] {
			errs = append(errs, field.Invalid(at.Index(i), name, fmt.Sprintf("if '*/%s' is present, must not specify %s", sub, name)))
		}
		allSubresourcesOf[resource] = allSubresourcesOf[resource] || sub == "*"
		allResourcesWith[sub] = allResourcesWith[sub] || resource == "*"
	}
	if len(resources) > 1 && slices.Contains(resources, "*/*") {
		errs = append(errs, field.Invalid(at, resources, "if '*/*' is present, must not specify other resources"))
	}
	if plain && slices.Contains(resources, "*") {
		errs = append(errs, field.Invalid(at, resources, "if '*' is present, must not specify other resources without subresources"))
	}
	return errs
}

// validateMatch checks the resources that a policy or binding matches.
func validateMatch(m *admissionv1.MatchResources, at *field.Path) (errs field.ErrorList) {
	if m == nil {
		return nil
	}
	if policy := at.Child("matchPolicy"); m.MatchPolicy == nil {
		errs = append(errs, field.Required(policy, ""))
	} else {
		errs = append(errs, rule.OneOf(*m.MatchPolicy, policy, admissionv1.Equivalent, admissionv1.Exact)...)
	}
	if m.NamespaceSelector == nil {
		errs = append(errs, field.Required(at.Child("namespaceSelector"), ""))
	}
	errs = append(errs, rule.Selector(m.NamespaceSelector, at.Child("namespaceSelector"))...)
	if m.ObjectSelector == nil {
		errs = append(errs, field.Required(at.Child("objectSelector"), ""))
	}
	errs = append(errs, rule.Selector(m.ObjectSelector, at.Child("objectSelector"))...)
	for i := range m.ResourceRules {
		errs = append(errs, validateNamedRule(&m.ResourceRules[i], at.Child("resourceRules").Index(i))...)
	}
	for i := range m.ExcludeResourceRules {
		errs = append(errs, validateNamedRule(&m.ExcludeResourceRules[i], at.Child("excludeResourceRules").Index(i))...)
	}
	return errs
}

func validateNamedRule(r *admissionv1.NamedRuleWithOperations, at *field.Path) (errs field.ErrorList) {
	for i, name := range r.ResourceNames {
		at := at.Child("resourceNames").Index(i)
		errs = append(errs, rule.PathSegment(name, at)...)
		if slices.Contains(r.ResourceNames[:i], name) {
			errs = append(errs, field.Duplicate(at, name))
		}
	}
	return append(errs, validateRule(&r.RuleWithOperations, at)...)
}

// validateNoDelete: what is deleted cannot be changed.
func validateNoDelete(m *admissionv1.MatchResources, at *field.Path) (errs field.ErrorList) {
	if m == nil {
		return nil
	}
	for i := range m.ResourceRules {
		for _, operation := range m.ResourceRules[i].Operations {
			errs = append(errs, rule.OneOf(operation, at.Child("resourceRules", "operations"), admissionv1.OperationAll, admissionv1.Connect, admissionv1.Create, admissionv1.Update)...)
		}
	}
	return errs
}

func validateConditions(conditions []admissionv1.MatchCondition, params bool, before stored, check Checker, at *field.Path) (errs field.ErrorList) {
	if n := len(conditions); n > maxConditions {
		errs = append(errs, field.TooMany(at, n, maxConditions))
	}
	seen := map[string]bool{}
	for i, c := range conditions {
		at := at.Index(i)
		if blank(c.Expression) {
			errs = append(errs, field.Required(at.Child("expression"), ""))
		} else {
			text := strings.TrimSpace(c.Expression)
			errs = append(errs, check(Expression{Use: UseMatch, Text: text, Params: params, Stored: before[UseMatch][text]}, at.Child("expression"))...)
		}
		if c.Name == "" {
			errs = append(errs, field.Required(at.Child("name"), ""))
			continue
		}
		errs = append(errs, rule.QualifiedName(c.Name, at.Child("name"))...)
		if seen[c.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), c.Name))
		}
		seen[c.Name] = true
	}
	return errs
}
