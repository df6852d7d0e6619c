package admissionregistration

import (
	"slices"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
)

func TestRulesInVainAreTold(t *testing.T) {
	for name, test := range map[string]struct {
		groups, resources []string
		want              []string
	}{
		"pods":        {[]string{""}, []string{"pods"}, nil},
		"everything":  {[]string{"*"}, []string{"tokenreviews"}, nil},
		"all of them": {[]string{"authentication.k8s.io"}, []string{"*"}, nil},
		"reviews": {[]string{"authentication.k8s.io", "authentication.k8s.io"}, []string{"tokenreviews", "pods"},
			[]string{"webhooks[0].rules[0]: tokenreviews.authentication.k8s.io is excluded from admission webhooks; this rule will have no effect"}},
	} {
		rules := []admissionv1.RuleWithOperations{{Rule: admissionv1.Rule{APIGroups: test.groups, Resources: test.resources}}}
		c := &admissionv1.ValidatingWebhookConfiguration{Webhooks: []admissionv1.ValidatingWebhook{{Rules: rules}}}
		if got := ValidatingWebhookWarnings(c); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
