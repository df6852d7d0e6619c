package flowcontrol

import (
	"fmt"
	"slices"
	"strings"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap"

	"github.com/coracle-k8s/coracle/apis/rule"
)

var spec, status = field.NewPath("spec"), field.NewPath("status")

// ValidateFlowSchema checks rules and precedence. What keeps the server itself alive cannot be changed.
func ValidateFlowSchema(s *flowcontrolv1.FlowSchema) (errs field.ErrorList) {
	precedence := spec.Child("matchingPrecedence")
	switch n := s.Spec.MatchingPrecedence; {
	case n <= 0:
		errs = append(errs, field.Invalid(precedence, n, "must be a positive value"))
	case n > flowcontrolv1.FlowSchemaMaxMatchingPrecedence:
		errs = append(errs, field.Invalid(precedence, n, fmt.Sprintf("must not be greater than %v", flowcontrolv1.FlowSchemaMaxMatchingPrecedence)))
	case n == 1 && s.Name != flowcontrolv1.FlowSchemaNameExempt:
		errs = append(errs, field.Invalid(precedence, n, "only the schema named 'exempt' may have matchingPrecedence 1"))
	}
	if m := s.Spec.DistinguisherMethod; m != nil && m.Type != flowcontrolv1.FlowDistinguisherMethodByNamespaceType && m.Type != flowcontrolv1.FlowDistinguisherMethodByUserType {
		errs = append(errs, field.NotSupported(spec.Child("distinguisherMethod", "type"), m, []string{"ByNamespace", "ByUser"}))
	}
	if name, at := s.Spec.PriorityLevelConfiguration.Name, spec.Child("priorityLevelConfiguration", "name"); name != "" {
		errs = append(errs, rule.DNSSubdomain(name, at)...)
	} else {
		errs = append(errs, field.Required(at, "must reference a priority level"))
	}
	for i := range s.Spec.Rules {
		errs = append(errs, validateRules(&s.Spec.Rules[i], spec.Child("rules").Index(i))...)
	}
	for _, fixed := range bootstrap.MandatoryFlowSchemas {
		if fixed.Name == s.Name && !apiequality.Semantic.DeepEqual(fixed.Spec, s.Spec) {
			errs = append(errs, field.Invalid(spec, s.Spec, fmt.Sprintf("spec of '%s' must equal the fixed value", s.Name)))
		}
	}
	return errs
}

// ValidateFlowSchemaStatus checks that conditions have types, each of its own.
func ValidateFlowSchemaStatus(s, _ *flowcontrolv1.FlowSchema) field.ErrorList {
	var types []string
	for _, c := range s.Status.Conditions {
		types = append(types, string(c.Type))
	}
	return validateConditionTypes(types)
}

func validateConditionTypes(types []string) (errs field.ErrorList) {
	for i, kind := range types {
		at := status.Child("conditions").Index(i).Child("type")
		if slices.Contains(types[:i], kind) {
			errs = append(errs, field.Duplicate(at, kind))
		}
		if kind == "" {
			errs = append(errs, field.Required(at, ""))
		}
	}
	return errs
}

func validateRules(r *flowcontrolv1.PolicyRulesWithSubjects, at *field.Path) (errs field.ErrorList) {
	if len(r.Subjects) == 0 {
		errs = append(errs, field.Required(at.Child("subjects"), "subjects must contain at least one value"))
	}
	for i := range r.Subjects {
		errs = append(errs, validateSubject(&r.Subjects[i], at.Child("subjects").Index(i))...)
	}
	if len(r.ResourceRules)+len(r.NonResourceRules) == 0 {
		errs = append(errs, field.Required(at, "at least one of resourceRules and nonResourceRules has to be non-empty"))
	}
	for i := range r.ResourceRules {
		errs = append(errs, validateResourceRule(&r.ResourceRules[i], at.Child("resourceRules").Index(i))...)
	}
	for i := range r.NonResourceRules {
		errs = append(errs, validateNonResourceRule(&r.NonResourceRules[i], at.Child("nonResourceRules").Index(i))...)
	}
	return errs
}

func validateSubject(s *flowcontrolv1.Subject, at *field.Path) (errs field.ErrorList) {
	account, user, group := at.Child("serviceAccount"), at.Child("user"), at.Child("group")
	switch s.Kind {
	case flowcontrolv1.SubjectKindServiceAccount:
		errs = validateAccount(s.ServiceAccount, account)
	case flowcontrolv1.SubjectKindUser:
		if s.User == nil {
			errs = append(errs, field.Required(user, "user is required when subject kind is 'User'"))
		} else if s.User.Name == "" {
			errs = append(errs, field.Required(user.Child("name"), ""))
		}
	case flowcontrolv1.SubjectKindGroup:
		if s.Group == nil {
			errs = append(errs, field.Required(group, "group is required when subject kind is 'Group'"))
		} else if s.Group.Name == "" {
			errs = append(errs, field.Required(group.Child("name"), ""))
		}
	default:
		return rule.OneOf(s.Kind, at.Child("kind"), flowcontrolv1.SubjectKindGroup, flowcontrolv1.SubjectKindServiceAccount, flowcontrolv1.SubjectKindUser)
	}
	for _, other := range []struct {
		at   *field.Path
		set  bool
		kind flowcontrolv1.SubjectKind
	}{
		{account, s.ServiceAccount != nil, flowcontrolv1.SubjectKindServiceAccount},
		{user, s.User != nil, flowcontrolv1.SubjectKindUser},
		{group, s.Group != nil, flowcontrolv1.SubjectKindGroup},
	} {
		if name := strings.ToLower(string(other.kind[:1])) + string(other.kind[1:]); other.set && other.kind != s.Kind {
			errs = append(errs, field.Forbidden(other.at, fmt.Sprintf("%s is forbidden when subject kind is not '%s'", name, other.kind)))
		}
	}
	return errs
}

func validateAccount(s *flowcontrolv1.ServiceAccountSubject, at *field.Path) (errs field.ErrorList) {
	if s == nil {
		return field.ErrorList{field.Required(at, "serviceAccount is required when subject kind is 'ServiceAccount'")}
	}
	switch s.Name {
	case "":
		errs = append(errs, field.Required(at.Child("name"), ""))
	case flowcontrolv1.NameAll:
	default:
		errs = append(errs, rule.Invalid(at.Child("name"), s.Name, apivalidation.ValidateServiceAccountName(s.Name, false))...)
	}
	if s.Namespace == "" {
		return append(errs, field.Required(at.Child("namespace"), "must specify namespace for service account"))
	}
	return append(errs, rule.DNSLabel(s.Namespace, at.Child("namespace"))...)
}

func validateVerbs(verbs []string, at *field.Path) field.ErrorList {
	known := []string{"create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"}
	switch {
	case len(verbs) == 0:
		return field.ErrorList{field.Required(at, "verbs must contain at least one value")}
	case slices.Contains(verbs, flowcontrolv1.VerbAll):
		return alone(verbs, "verbs", at)
	case slices.ContainsFunc(verbs, func(verb string) bool { return !slices.Contains(known, verb) }):
		return field.ErrorList{field.NotSupported(at, verbs, known)}
	}
	return nil
}

// alone refuses other values beside the one that stands for all.
func alone(values []string, what string, at *field.Path) field.ErrorList {
	if len(values) > 1 && slices.Contains(values, "*") {
		return field.ErrorList{field.Invalid(at, values, "if '*' is present, must not specify other "+what)}
	}
	return nil
}

func validateResourceRule(r *flowcontrolv1.ResourcePolicyRule, at *field.Path) field.ErrorList {
	errs := validateVerbs(r.Verbs, at.Child("verbs"))
	if len(r.APIGroups) == 0 {
		errs = append(errs, field.Required(at.Child("apiGroups"), "resource rules must supply at least one api group"))
	}
	errs = append(errs, alone(r.APIGroups, "api groups", at.Child("apiGroups"))...)
	if len(r.Resources) == 0 {
		errs = append(errs, field.Required(at.Child("resources"), "resource rules must supply at least one resource"))
	}
	errs = append(errs, alone(r.Resources, "resources", at.Child("resources"))...)
	namespaces := at.Child("namespaces")
	switch {
	case len(r.Namespaces) == 0 && !r.ClusterScope:
		errs = append(errs, field.Required(namespaces, "resource rules that are not cluster scoped must supply at least one namespace"))
	case slices.Contains(r.Namespaces, flowcontrolv1.NamespaceEvery):
		errs = append(errs, alone(r.Namespaces, "namespaces", namespaces)...)
	default:
		for i, name := range r.Namespaces {
			for _, message := range apivalidation.ValidateNamespaceName(name, false) {
				errs = append(errs, field.Invalid(namespaces.Index(i), name, "each member of this list must be '*' or a DNS-1123 label; "+message))
			}
		}
	}
	return errs
}

func validateNonResourceRule(r *flowcontrolv1.NonResourcePolicyRule, at *field.Path) field.ErrorList {
	errs, urls := validateVerbs(r.Verbs, at.Child("verbs")), at.Child("nonResourceURLs")
	switch {
	case len(r.NonResourceURLs) == 0:
		return append(errs, field.Required(urls, "nonResourceURLs must contain at least one value"))
	case slices.Contains(r.NonResourceURLs, flowcontrolv1.NonResourceAll):
		return append(errs, alone(r.NonResourceURLs, "non-resource URLs", urls)...)
	}
	for i, url := range r.NonResourceURLs {
		if message := checkURLPath(url); message != "" {
			errs = append(errs, field.Invalid(urls.Index(i), url, message))
		}
	}
	return errs
}

func checkURLPath(path string) string {
	switch wildcards := strings.Count(path, "*"); {
	case path == "":
		return "must not be empty"
	case path == "/":
		return ""
	case !strings.HasPrefix(path, "/"):
		return "must start with slash"
	case strings.Contains(path, " "):
		return "must not contain white-space"
	case strings.Contains(path, "//"):
		return "must not contain double slash"
	case wildcards > 1 || wildcards == 1 && !strings.HasSuffix(path, "/*"):
		return "wildcard can only do suffix matching"
	}
	return ""
}
