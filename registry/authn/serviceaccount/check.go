package serviceaccount

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// check says what is wrong with a request whose defaults are filled in.
func check(s *authenticationv1.TokenRequestSpec) (errs field.ErrorList) {
	spec := field.NewPath("spec")
	switch at, life := spec.Child("expirationSeconds"), *s.ExpirationSeconds; {
	case life < minLife:
		errs = append(errs, field.Invalid(at, life, "may not specify a duration less than 10 minutes"))
	case life > maxLife:
		errs = append(errs, field.Invalid(at, life, "may not specify a duration larger than 2^32 seconds"))
	}
	at := spec.Child("attestations")
	if forWebhook(s.BoundObjectRef) {
		if len(s.Audiences) != 1 {
			errs = append(errs, field.Invalid(spec.Child("audiences"), s.Audiences, "must be length 1 when bound to a webhook config"))
		}
		return append(errs, checkAttestations(s.Attestations, at)...)
	}
	if len(s.Attestations) > 0 {
		return field.ErrorList{field.Invalid(at, s.Attestations, "attestations may only be specified with a webhook bound object reference")}
	}
	return errs
}

// forWebhook reports whether the token is to be bound to the configuration of a webhook.
func forWebhook(bound *authenticationv1.BoundObjectReference) bool {
	return bound != nil && bound.APIVersion == admissionregistrationv1.SchemeGroupVersion.String() &&
		(bound.Kind == "ValidatingWebhookConfiguration" || bound.Kind == "MutatingWebhookConfiguration")
}

func checkAttestations(all map[string]authenticationv1.AttestationValue, at *field.Path) (errs field.ErrorList) {
	if len(all) != 1 {
		return field.ErrorList{field.Invalid(at, all, "webhook bound requests require exactly one admissionReviewAPIGroups attestation")}
	}
	for key, values := range all {
		at := at.Key(key)
		switch {
		case key != authenticationv1.AttestationAdmissionReviewAPIGroups:
			errs = append(errs, field.NotSupported(at, key, []string{authenticationv1.AttestationAdmissionReviewAPIGroups}))
		case len(values) != 1:
			errs = append(errs, field.Invalid(at, values, "must specify a single value"))
		case values[0] == "":
			errs = append(errs, field.Invalid(at.Index(0), values[0], "may not be an empty string"))
		case values[0] != "*":
			for _, why := range validation.IsDNS1123Subdomain(values[0]) {
				errs = append(errs, field.Invalid(at.Index(0), values[0], "must specify a valid API Group: "+why))
			}
		}
	}
	return errs
}
