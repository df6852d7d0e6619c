package admissionregistration

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

var reviewVersions = []string{"v1", "v1beta1"}

// webhook is what both sorts have in common.
type webhook struct {
	name                string
	client              *admissionv1.WebhookClientConfig
	rules               []admissionv1.RuleWithOperations
	failure             *admissionv1.FailurePolicyType
	match               *admissionv1.MatchPolicyType
	namespaces, objects *metav1.LabelSelector
	sideEffects         *admissionv1.SideEffectClass
	timeout             *int32
	versions            []string
	conditions          []admissionv1.MatchCondition
	reinvocation        *admissionv1.ReinvocationPolicyType
}

func mutating(c *admissionv1.MutatingWebhookConfiguration) (all []webhook) {
	if c == nil {
		return nil
	}
	for i := range c.Webhooks {
		w := &c.Webhooks[i]
		all = append(all, webhook{w.Name, &w.ClientConfig, w.Rules, w.FailurePolicy, w.MatchPolicy, w.NamespaceSelector, w.ObjectSelector,
			w.SideEffects, w.TimeoutSeconds, w.AdmissionReviewVersions, w.MatchConditions, w.ReinvocationPolicy})
	}
	return all
}

func validating(c *admissionv1.ValidatingWebhookConfiguration) (all []webhook) {
	if c == nil {
		return nil
	}
	for i := range c.Webhooks {
		w := &c.Webhooks[i]
		all = append(all, webhook{w.Name, &w.ClientConfig, w.Rules, w.FailurePolicy, w.MatchPolicy, w.NamespaceSelector, w.ObjectSelector,
			w.SideEffects, w.TimeoutSeconds, w.AdmissionReviewVersions, w.MatchConditions, nil})
	}
	return all
}

// ValidateMutatingWebhooks checks how webhooks are asked, and when; old is nil on create.
func ValidateMutatingWebhooks(c, old *admissionv1.MutatingWebhookConfiguration, check Checker) field.ErrorList {
	return validateWebhooks(mutating(c), mutating(old), old != nil, check)
}

// ValidateValidatingWebhooks checks how webhooks are asked, and when; old is nil on create.
func ValidateValidatingWebhooks(c, old *admissionv1.ValidatingWebhookConfiguration, check Checker) field.ErrorList {
	return validateWebhooks(validating(c), validating(old), old != nil, check)
}

// leniency is what an update tolerates, as the stored webhooks have it.
type leniency struct{ sideEffects, versions, names, conditions bool }

func tolerated(hooks, old []webhook) (may leniency) {
	for i, w := range old {
		may.sideEffects = may.sideEffects || w.sideEffects == nil || !harmless(*w.sideEffects)
		may.versions = may.versions || len(w.versions) > 0 && !recognized(w.versions)
		may.names = may.names || slices.ContainsFunc(old[:i], func(other webhook) bool { return other.name == w.name })
	}
	may.conditions = slices.EqualFunc(hooks, old, func(a, b webhook) bool { return apiequality.Semantic.DeepEqual(a.conditions, b.conditions) })
	return may
}

func harmless(s admissionv1.SideEffectClass) bool {
	return s == admissionv1.SideEffectClassNone || s == admissionv1.SideEffectClassNoneOnDryRun
}

func recognized(versions []string) bool {
	return slices.ContainsFunc(versions, func(v string) bool { return slices.Contains(reviewVersions, v) })
}

func validateWebhooks(hooks, old []webhook, update bool, check Checker) (errs field.ErrorList) {
	var may leniency
	before := stored{}
	if update {
		may = tolerated(hooks, old)
		for _, w := range old {
			before.addConditions(w.conditions)
		}
	}
	seen := map[string]bool{}
	for i, w := range hooks {
		at := field.NewPath("webhooks").Index(i)
		errs = append(errs, validateWebhook(&w, may, before, check, at)...)
		errs = append(errs, validateVersions(w.versions, may.versions, at.Child("admissionReviewVersions"))...)
		if !may.names && w.name != "" && seen[w.name] {
			errs = append(errs, field.Duplicate(at.Child("name"), w.name))
		}
		seen[w.name] = true
	}
	return errs
}

func validateWebhook(w *webhook, may leniency, before stored, check Checker, at *field.Path) field.ErrorList {
	errs := validation.IsFullyQualifiedName(at.Child("name"), w.name)
	for i := range w.rules {
		errs = append(errs, validateRule(&w.rules[i], at.Child("rules").Index(i))...)
	}
	if w.failure != nil {
		errs = append(errs, rule.OneOf(*w.failure, at.Child("failurePolicy"), admissionv1.Fail, admissionv1.Ignore)...)
	}
	if w.match != nil {
		errs = append(errs, rule.OneOf(*w.match, at.Child("matchPolicy"), admissionv1.Equivalent, admissionv1.Exact)...)
	}
	errs = append(errs, validateSideEffects(w.sideEffects, may.sideEffects, at.Child("sideEffects"))...)
	if n := w.timeout; n != nil && (*n < 1 || *n > 30) {
		errs = append(errs, field.Invalid(at.Child("timeoutSeconds"), *n, "the timeout value must be between 1 and 30 seconds"))
	}
	errs = append(errs, rule.Selector(w.namespaces, at.Child("namespaceSelector"))...)
	errs = append(errs, rule.Selector(w.objects, at.Child("objectSelector"))...)
	if w.reinvocation != nil {
		errs = append(errs, rule.OneOf(*w.reinvocation, at.Child("reinvocationPolicy"), admissionv1.IfNeededReinvocationPolicy, admissionv1.NeverReinvocationPolicy)...)
	}
	errs = append(errs, validateClient(w.client, at.Child("clientConfig"))...)
	if !may.conditions {
		errs = append(errs, validateConditions(w.conditions, false, before, check, at.Child("matchConditions"))...)
	}
	return errs
}

func validateSideEffects(s *admissionv1.SideEffectClass, any bool, at *field.Path) field.ErrorList {
	allowed := []admissionv1.SideEffectClass{admissionv1.SideEffectClassNone, admissionv1.SideEffectClassNoneOnDryRun}
	if any {
		allowed = append(allowed, admissionv1.SideEffectClassSome, admissionv1.SideEffectClassUnknown)
	}
	if s == nil {
		var names []string
		for _, a := range allowed {
			names = append(names, string(a))
		}
		return field.ErrorList{field.Required(at, "must specify one of "+strings.Join(names, ", "))}
	}
	return rule.OneOf(*s, at, allowed...)
}

func validateVersions(versions []string, any bool, at *field.Path) (errs field.ErrorList) {
	list := strings.Join(reviewVersions, ", ")
	if len(versions) == 0 {
		return field.ErrorList{field.Required(at, "must specify one of "+list)}
	}
	for i, v := range versions {
		if slices.Contains(versions[:i], v) {
			errs = append(errs, field.Invalid(at.Index(i), v, "duplicate version"))
			continue
		}
		errs = append(errs, rule.Invalid(at.Index(i), v, validation.IsDNS1035Label(v))...)
	}
	if !any && !recognized(versions) {
		errs = append(errs, field.Invalid(at, versions, "must include at least one of "+list))
	}
	return errs
}

func validateClient(c *admissionv1.WebhookClientConfig, at *field.Path) field.ErrorList {
	switch {
	case (c.URL == nil) == (c.Service == nil):
		return field.ErrorList{field.Required(at, "exactly one of url or service is required")}
	case c.URL != nil:
		return validateURL(*c.URL, at.Child("url"))
	}
	return validateService(c.Service, at.Child("service"))
}

func validateURL(text string, at *field.Path) (errs field.ErrorList) {
	const form = "; desired format: https://host[/path]"
	u, err := url.Parse(text)
	if err != nil {
		return field.ErrorList{field.Required(at, "url must be a valid URL: "+err.Error()+form)}
	}
	refuse := func(wrong bool, value, detail string) {
		if wrong {
			errs = append(errs, field.Invalid(at, value, detail))
		}
	}
	refuse(u.Scheme != "https", u.Scheme, "'https' is the only allowed URL scheme"+form)
	refuse(u.Host == "", u.Host, "host must be specified"+form)
	refuse(u.User != nil, u.User.String(), "user information is not permitted in the URL")
	refuse(u.Fragment != "", u.Fragment, "fragments are not permitted in the URL")
	refuse(u.RawQuery != "", u.RawQuery, "query parameters are not permitted in the URL")
	return errs
}

func validateService(s *admissionv1.ServiceReference, at *field.Path) (errs field.ErrorList) {
	if s.Name == "" {
		errs = append(errs, field.Required(at.Child("name"), ""))
	}
	if s.Namespace == "" {
		errs = append(errs, field.Required(at.Child("namespace"), ""))
	}
	if s.Port != nil {
		for _, message := range validation.IsValidPortNum(int(*s.Port)) {
			errs = append(errs, field.Invalid(at.Child("port"), *s.Port, "port is not valid: "+message))
		}
	}
	if s.Path == nil || *s.Path == "" || *s.Path == "/" {
		return errs
	}
	path := at.Child("path")
	if *s.Path == "//" {
		return append(errs, field.Invalid(path, *s.Path, "segment[0] may not be empty"))
	}
	if !strings.HasPrefix(*s.Path, "/") {
		errs = append(errs, field.Invalid(path, *s.Path, "must start with a '/'"))
	}
	for i, step := range strings.Split(strings.TrimSuffix((*s.Path)[1:], "/"), "/") {
		if step == "" {
			errs = append(errs, field.Invalid(path, *s.Path, fmt.Sprintf("segment[%d] may not be empty", i)))
			continue
		}
		for _, message := range validation.IsDNS1123Subdomain(step) {
			errs = append(errs, field.Invalid(path, *s.Path, fmt.Sprintf("segment[%d]: %s", i, message)))
		}
	}
	return errs
}
