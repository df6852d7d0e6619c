package admissionregistration

import (
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Reviews are kept from webhooks and policies: one that refused them would lock everybody out.
func Reviews() []schema.GroupResource {
	return []schema.GroupResource{
		{Group: "authentication.k8s.io", Resource: "selfsubjectreviews"},
		{Group: "authentication.k8s.io", Resource: "tokenreviews"},
		{Group: "authorization.k8s.io", Resource: "localsubjectaccessreviews"},
		{Group: "authorization.k8s.io", Resource: "selfsubjectaccessreviews"},
		{Group: "authorization.k8s.io", Resource: "selfsubjectrulesreviews"},
		{Group: "authorization.k8s.io", Resource: "subjectaccessreviews"},
	}
}

// MutatingWebhookWarnings tells of rules that name what webhooks are not asked about.
func MutatingWebhookWarnings(c *admissionv1.MutatingWebhookConfiguration) []string {
	return vain(mutating(c))
}

// ValidatingWebhookWarnings tells of rules that name what webhooks are not asked about.
func ValidatingWebhookWarnings(c *admissionv1.ValidatingWebhookConfiguration) []string {
	return vain(validating(c))
}

// vain says nothing of rules for all of something: who writes them need not mean reviews.
func vain(webhooks []webhook) (warnings []string) {
	reviews := Reviews()
	for i := range webhooks {
		for j, rule := range webhooks[i].rules {
			if slices.Contains(rule.APIGroups, "*") || slices.Contains(rule.Resources, "*") {
				continue
			}
			at := field.NewPath("webhooks").Index(i).Child("rules").Index(j)
			for _, named := range combinations(rule.APIGroups, rule.Resources) {
				if slices.Contains(reviews, named) {
					warnings = append(warnings, fmt.Sprintf("%s: %s is excluded from admission webhooks; this rule will have no effect", at, named))
				}
			}
		}
	}
	return warnings
}

func combinations(groups, resources []string) (all []schema.GroupResource) {
	for _, group := range groups {
		for _, resource := range resources {
			if gr := (schema.GroupResource{Group: group, Resource: resource}); !slices.Contains(all, gr) {
				all = append(all, gr)
			}
		}
	}
	return all
}
