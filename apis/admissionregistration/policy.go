package admissionregistration

import (
	"regexp"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

var spec = field.NewPath("spec")

// What policies and bindings of both sorts have in common.

func validateFailurePolicy(p *admissionv1.FailurePolicyType) field.ErrorList {
	at := spec.Child("failurePolicy")
	if p == nil {
		return field.ErrorList{field.Required(at, "")}
	}
	return rule.OneOf(*p, at, admissionv1.Fail, admissionv1.Ignore)
}

func validateConstraints(m *admissionv1.MatchResources) field.ErrorList {
	at := spec.Child("matchConstraints")
	if m == nil {
		return field.ErrorList{field.Required(at, "")}
	}
	errs := validateMatch(m, at)
	if len(m.ResourceRules) == 0 {
		errs = append(errs, field.Required(at.Child("resourceRules"), ""))
	}
	return errs
}

func validateParamKind(k *admissionv1.ParamKind) (errs field.ErrorList) {
	if k == nil {
		return nil
	}
	version, kind := spec.Child("paramKind", "apiVersion"), spec.Child("paramKind", "kind")
	errs = validateVersion(k.APIVersion, version)
	if k.Kind == "" {
		return append(errs, field.Required(kind, ""))
	}
	if messages := validation.IsDNS1035Label(strings.ToLower(k.Kind)); len(messages) > 0 {
		errs = append(errs, field.Invalid(kind, k.Kind, "may have mixed case, but should otherwise match: "+strings.Join(messages, ",")))
	}
	return errs
}

func validateVersion(text string, at *field.Path) (errs field.ErrorList) {
	if text == "" {
		return field.ErrorList{field.Required(at, "")}
	}
	group, version, found := strings.Cut(text, "/")
	switch {
	case !found:
		group, version = "", text
	case strings.Contains(version, "/"):
		return field.ErrorList{field.Invalid(at, text, "unexpected GroupVersion string: "+text)}
	}
	if messages := validation.IsDNS1123Subdomain(group); group != "" && len(messages) > 0 {
		errs = append(errs, field.Invalid(at, group, strings.Join(messages, ",")))
	}
	if version == "" {
		return append(errs, field.Invalid(at, text, "version must be specified"))
	}
	if messages := validation.IsDNS1035Label(version); len(messages) > 0 {
		errs = append(errs, field.Invalid(at, version, strings.Join(messages, ",")))
	}
	return errs
}

var (
	identifier = regexp.MustCompile("^[_a-zA-Z][_a-zA-Z0-9]*$")
	reserved   = strings.Fields("true false null in as break const continue else for function if import let loop package namespace return var void while")
)

func validateVariables(variables []admissionv1.Variable, params bool, before stored, check Checker) (errs field.ErrorList) {
	for i, v := range variables {
		at := spec.Child("variables").Index(i)
		switch {
		case blank(v.Name):
			errs = append(errs, field.Required(at.Child("name"), "name is not specified"))
		case !identifier.MatchString(v.Name) || slices.Contains(reserved, v.Name):
			errs = append(errs, field.Invalid(at.Child("name"), v.Name, "must be a valid CEL identifier"))
		}
		if blank(v.Expression) {
			errs = append(errs, field.Required(at.Child("expression"), "expression is not specified"))
			_ = check(Expression{Use: UseVariable, Name: v.Name}, at) // that there are variables is known to what comes after it
			continue
		}
		errs = append(errs, check(Expression{UseVariable, v.Name, v.Expression, params, before[UseValidation][v.Expression]}, at.Child("expression"))...)
	}
	return errs
}

func validateParamRef(r *admissionv1.ParamRef) (errs field.ErrorList) {
	if r == nil {
		return nil
	}
	at := spec.Child("paramRef")
	if r.Name != "" {
		errs = append(errs, rule.PathSegment(r.Name, at.Child("name"))...)
	}
	errs = append(errs, rule.Selector(r.Selector, at.Child("selector"))...)
	switch {
	case r.Name != "" && r.Selector != nil:
		errs = append(errs, field.Forbidden(at.Child("name"), "name and selector are mutually exclusive"),
			field.Forbidden(at.Child("selector"), "name and selector are mutually exclusive"))
	case r.Name == "" && r.Selector == nil:
		errs = append(errs, field.Required(at, "one of name or selector must be specified"))
	}
	action := at.Child("parameterNotFoundAction")
	if r.ParameterNotFoundAction == nil {
		return append(errs, field.Required(action, ""))
	}
	return append(errs, rule.RequiredOneOf(*r.ParameterNotFoundAction, action, admissionv1.DenyAction, admissionv1.AllowAction)...)
}

func validatePolicyName(name string) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(spec.Child("policyName"), "")}
	}
	return rule.DNSSubdomain(name, spec.Child("policyName"))
}

// sameConditions reports whether an update leaves what decides which requests a policy is for: then it is not checked again.
func sameConditions(a, b []admissionv1.MatchCondition, params, was *admissionv1.ParamKind) bool {
	return apiequality.Semantic.DeepEqual(a, b) && apiequality.Semantic.DeepEqual(params, was)
}
