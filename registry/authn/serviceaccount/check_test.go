package serviceaccount

import (
	"slices"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
)

func TestAttestationsAreOfTokensForWebhooks(t *testing.T) {
	type attestations = map[string]authenticationv1.AttestationValue
	webhook := &authenticationv1.BoundObjectReference{APIVersion: "admissionregistration.k8s.io/v1", Kind: "MutatingWebhookConfiguration", Name: "w"}
	for name, c := range map[string]struct {
		bound     *authenticationv1.BoundObjectReference
		audiences []string
		attested  attestations
		want      []string
	}{
		"none":                {nil, []string{"a", "b"}, nil, nil},
		"without a webhook":   {nil, []string{"a"}, attestations{authenticationv1.AttestationAdmissionReviewAPIGroups: {"*"}}, []string{"spec.attestations"}},
		"all groups":          {webhook, []string{"a"}, attestations{authenticationv1.AttestationAdmissionReviewAPIGroups: {"*"}}, nil},
		"a group":             {webhook, []string{"a"}, attestations{authenticationv1.AttestationAdmissionReviewAPIGroups: {"apps"}}, nil},
		"the core group":      {webhook, []string{"a"}, attestations{authenticationv1.AttestationAdmissionReviewAPIGroups: {""}}, []string{"spec.attestations[admissionReviewAPIGroups][0]"}},
		"no group at all":     {webhook, []string{"a"}, attestations{authenticationv1.AttestationAdmissionReviewAPIGroups: {"A B"}}, []string{"spec.attestations[admissionReviewAPIGroups][0]"}},
		"two groups":          {webhook, []string{"a"}, attestations{authenticationv1.AttestationAdmissionReviewAPIGroups: {"a", "b"}}, []string{"spec.attestations[admissionReviewAPIGroups]"}},
		"something else":      {webhook, []string{"a"}, attestations{"other": {"a"}}, []string{"spec.attestations[other]"}},
		"nothing":             {webhook, []string{"a"}, nil, []string{"spec.attestations"}},
		"for several readers": {webhook, []string{"a", "b"}, attestations{authenticationv1.AttestationAdmissionReviewAPIGroups: {"*"}}, []string{"spec.audiences"}},
	} {
		errs := check(&authenticationv1.TokenRequestSpec{Audiences: c.audiences, ExpirationSeconds: new(int64(3600)), BoundObjectRef: c.bound, Attestations: c.attested})
		var got []string
		for _, err := range errs {
			got = append(got, err.Field)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, errs, c.want)
		}
	}
}
