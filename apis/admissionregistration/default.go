// Package admissionregistration says what the objects of admissionregistration.k8s.io mean: defaults, and all of
// validation but expressions, which need the API server's environment.
package admissionregistration

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DefaultMutatingWebhooks fills in how webhooks are asked.
// https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
func DefaultMutatingWebhooks(c *admissionv1.MutatingWebhookConfiguration) {
	for i := range c.Webhooks {
		w := &c.Webhooks[i]
		defaultWebhook(&w.FailurePolicy, &w.MatchPolicy, &w.NamespaceSelector, &w.ObjectSelector, &w.TimeoutSeconds, &w.ClientConfig, w.Rules)
		orDefault(&w.ReinvocationPolicy, admissionv1.NeverReinvocationPolicy)
	}
}

// DefaultValidatingWebhooks fills in how webhooks are asked.
func DefaultValidatingWebhooks(c *admissionv1.ValidatingWebhookConfiguration) {
	for i := range c.Webhooks {
		w := &c.Webhooks[i]
		defaultWebhook(&w.FailurePolicy, &w.MatchPolicy, &w.NamespaceSelector, &w.ObjectSelector, &w.TimeoutSeconds, &w.ClientConfig, w.Rules)
	}
}

func defaultWebhook(failure **admissionv1.FailurePolicyType, match **admissionv1.MatchPolicyType, namespaces, objects **metav1.LabelSelector,
	timeout **int32, client *admissionv1.WebhookClientConfig, rules []admissionv1.RuleWithOperations) {
	orDefault(failure, admissionv1.Fail)
	defaultMatch(match, namespaces, objects)
	orDefault(timeout, 10)
	if client.Service != nil {
		orDefault(&client.Service.Port, 443)
	}
	for i := range rules {
		orDefault(&rules[i].Scope, admissionv1.AllScopes)
	}
}

func defaultMatch(match **admissionv1.MatchPolicyType, namespaces, objects **metav1.LabelSelector) {
	orDefault(match, admissionv1.Equivalent)
	orDefault(namespaces, metav1.LabelSelector{})
	orDefault(objects, metav1.LabelSelector{})
}

// DefaultValidatingPolicy fills in what a policy matches.
// https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
func DefaultValidatingPolicy(p *admissionv1.ValidatingAdmissionPolicy) {
	orDefault(&p.Spec.FailurePolicy, admissionv1.Fail)
	defaultResources(p.Spec.MatchConstraints)
}

// DefaultMutatingPolicy fills in what a policy matches.
func DefaultMutatingPolicy(p *admissionv1.MutatingAdmissionPolicy) {
	orDefault(&p.Spec.FailurePolicy, admissionv1.Fail)
	defaultResources(p.Spec.MatchConstraints)
}

// DefaultValidatingBinding fills in what a binding matches.
func DefaultValidatingBinding(b *admissionv1.ValidatingAdmissionPolicyBinding) {
	defaultResources(b.Spec.MatchResources)
}

// DefaultMutatingBinding fills in what a binding matches.
func DefaultMutatingBinding(b *admissionv1.MutatingAdmissionPolicyBinding) {
	defaultResources(b.Spec.MatchResources)
}

func defaultResources(m *admissionv1.MatchResources) {
	if m == nil {
		return
	}
	defaultMatch(&m.MatchPolicy, &m.NamespaceSelector, &m.ObjectSelector)
	for _, rules := range [][]admissionv1.NamedRuleWithOperations{m.ResourceRules, m.ExcludeResourceRules} {
		for i := range rules {
			orDefault(&rules[i].Scope, admissionv1.AllScopes)
		}
	}
}

func orDefault[V any](value **V, fallback V) {
	if *value == nil {
		*value = &fallback
	}
}
