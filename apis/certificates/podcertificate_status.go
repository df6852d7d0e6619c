package certificates

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	maxChain = 100 << 10
	// skew is how far a certificate's beginning may be from now, edge how far its renewal from its ends.
	skew, edge = 5 * time.Minute, 10 * time.Minute
)

var (
	outcomes = []string{
		certificatesv1.PodCertificateRequestConditionTypeIssued,
		certificatesv1.PodCertificateRequestConditionTypeDenied,
		certificatesv1.PodCertificateRequestConditionTypeFailed,
	}
	status, chain = field.NewPath("status"), field.NewPath("status", "certificateChain")
)

// PodRequestOutcome is the condition that ended the request; empty before.
func PodRequestOutcome(r *podRequest) string {
	i := slices.IndexFunc(outcomes, func(kind string) bool { return meta.IsStatusConditionTrue(r.Status.Conditions, kind) })
	if i < 0 {
		return ""
	}
	return outcomes[i]
}

// ValidatePodRequestStatus checks the answer to a request: once issued, denied or failed, and never changed.
func ValidatePodRequestStatus(r, old *podRequest, now time.Time) field.ErrorList {
	if errs := validateOutcomes(r.Status.Conditions); len(errs) > 0 {
		return errs
	}
	same := func(want certificatesv1.PodCertificateRequestStatus, detail string) field.ErrorList {
		if apiequality.Semantic.DeepEqual(r.Status, want) {
			return nil
		}
		return field.ErrorList{field.Invalid(status, field.OmitValueType{}, detail)}
	}
	if PodRequestOutcome(old) != "" {
		return same(old.Status, "immutable after PodCertificateRequest is issued, denied, or failed")
	}
	switch PodRequestOutcome(r) {
	case certificatesv1.PodCertificateRequestConditionTypeIssued:
		return validateIssued(r, old, now)
	case "":
		return same(old.Status, `status is immutable unless transitioning to "Issued", "Denied", or "Failed"`)
	}
	return same(certificatesv1.PodCertificateRequestStatus{Conditions: r.Status.Conditions},
		"non-condition status fields must be empty when denying or failing the PodCertificateRequest")
}

func validateOutcomes(conditions []metav1.Condition) (errs field.ErrorList) {
	known := 0
	for i, c := range conditions {
		at := status.Child("conditions", fmt.Sprintf("[%d]", i))
		if !slices.Contains(outcomes, c.Type) {
			errs = append(errs, field.NotSupported(at.Child("type"), c.Type, outcomes))
			continue
		}
		if known++; known > 1 {
			errs = append(errs, field.Invalid(at.Child("type"), c.Type, `There may be at most one condition with type "Issued", "Denied", or "Failed"`))
		}
		if c.Status != metav1.ConditionTrue {
			errs = append(errs, field.NotSupported(at.Child("status"), c.Status, []metav1.ConditionStatus{metav1.ConditionTrue}))
		}
	}
	return append(errs, metav1validation.ValidateConditions(conditions, status.Child("conditions"))...)
}

func validateIssued(r, old *podRequest, now time.Time) field.ErrorList {
	text := r.Status.CertificateChain
	if len(text) > maxChain {
		return field.ErrorList{field.TooLong(chain, text, maxChain)}
	}
	leaf, problem := parseChain(text)
	if problem != "" {
		return field.ErrorList{field.Invalid(chain, text, problem)}
	}
	errs := validateNames(leaf)
	asked, err := x509.ParseCertificateRequest(old.Spec.StubPKCS10Request)
	if err != nil {
		return append(errs, field.Invalid(field.NewPath("spec", "stubPKCS10Request"), field.OmitValueType{}, "must be a valid PKCS#10 CSR"))
	}
	if key, ok := asked.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); ok && !key.Equal(leaf.PublicKey) {
		return append(errs, field.Invalid(chain, text, "leaf certificate was not issued to the requested public key"))
	}
	return append(errs, validateTimes(r, leaf, now)...)
}

// parseChain returns the first certificate, and what is wrong with the chain. Who signed whom is not checked.
func parseChain(text string) (leaf *x509.Certificate, problem string) {
	block, rest := pem.Decode([]byte(text))
	if block == nil {
		return nil, "issued certificate chain must contain at least one certificate"
	}
	for ; block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, "issued certificate chain must consist entirely of CERTIFICATE PEM blocks"
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		switch {
		case err != nil && leaf == nil:
			return nil, "leaf certificate does not parse as valid X.509"
		case err != nil:
			return nil, "intermediate certificate does not parse as valid X.509"
		case leaf == nil:
			leaf = certificate
		}
	}
	return leaf, ""
}

func validateNames(leaf *x509.Certificate) (errs field.ErrorList) {
	for _, name := range leaf.DNSNames {
		if name == "" {
			errs = append(errs, field.Invalid(chain, name, "leaf certificate should not contain empty DNSName"))
		}
		if strings.Contains(name, "..") {
			errs = append(errs, field.Invalid(chain, name, "leaf certificate's DNSName should not contain '..'"))
		}
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") {
			errs = append(errs, field.Invalid(chain, name, "leaf certificate's DNSName should not start or end with '.'"))
		}
	}
	for _, address := range leaf.EmailAddresses {
		if _, err := mail.ParseAddress(address); err != nil {
			errs = append(errs, field.Invalid(chain, address, "leaf certificate should not contain invalid EmailAddress"))
		}
	}
	return errs
}

func validateTimes(r *podRequest, leaf *x509.Certificate, now time.Time) (errs field.ErrorList) {
	from, until, renew := status.Child("notBefore"), status.Child("notAfter"), status.Child("beginRefreshAt")
	s := &r.Status
	for _, required := range []struct {
		time   *metav1.Time
		at     *field.Path
		detail string
	}{
		{s.NotBefore, from, "must be present and consistent with the issued certificate"},
		{s.NotAfter, until, "must be present and consistent with the issued certificate"},
		{s.BeginRefreshAt, renew, "must be present and in the range [notbefore+10min, notafter-10min]"},
	} {
		if required.time == nil {
			errs = append(errs, field.Required(required.at, required.detail))
		}
	}
	if len(errs) > 0 {
		return errs
	}
	one := func(at *field.Path, value any, detail string) field.ErrorList {
		return field.ErrorList{field.Invalid(at, value, detail)}
	}
	lifetime, most := leaf.NotAfter.Sub(leaf.NotBefore), *r.Spec.MaxExpirationSeconds
	switch {
	case !s.NotBefore.Time.Equal(leaf.NotBefore):
		return one(from, s.NotBefore.Time, "must be set to the NotBefore time encoded in the leaf certificate")
	case s.NotBefore.Sub(now).Abs() >= skew:
		return one(from, s.NotBefore.Time, "must be set to within 5 minutes of kube-apiserver's current time")
	case !s.NotAfter.Time.Equal(leaf.NotAfter):
		return one(until, s.NotAfter.Time, "must be set to the NotAfter time encoded in the leaf certificate")
	case lifetime < time.Hour:
		return one(chain, lifetime, "leaf certificate lifetime must be >= 1 hour")
	case lifetime > time.Duration(most)*time.Second:
		return one(chain, lifetime, fmt.Sprintf("leaf certificate lifetime must be <= spec.maxExpirationSeconds (%v)", most))
	case s.BeginRefreshAt.Time.Before(s.NotBefore.Add(edge)):
		return one(renew, s.BeginRefreshAt.Time, "must be at least 10 minutes after status.notBefore")
	case s.BeginRefreshAt.Time.After(s.NotAfter.Add(-edge)):
		return one(renew, s.BeginRefreshAt.Time, "must be at least 10 minutes before status.notAfter")
	}
	return nil
}
