// Package certificates says what the objects of certificates.k8s.io mean.
package certificates

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

const (
	legacySigner  = "kubernetes.io/legacy-unknown"
	minExpiration = 600
)

type (
	signingRequest = certificatesv1.CertificateSigningRequest
	condition      = certificatesv1.CertificateSigningRequestCondition
)

var decisions = []certificatesv1.RequestConditionType{certificatesv1.CertificateApproved, certificatesv1.CertificateDenied}

// ValidateCreate checks a new request.
// https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/
func ValidateCreate(r *signingRequest) (errs field.ErrorList) {
	spec := field.NewPath("spec")
	if err := checkRequest(r.Spec.Request); err != nil {
		errs = append(errs, field.Invalid(spec.Child("request"), r.Spec.Request, err.Error()))
	}
	errs = append(errs, validateUsages(r.Spec.Usages, spec.Child("usages"))...)
	if at := spec.Child("signerName"); r.Spec.SignerName == legacySigner {
		errs = append(errs, field.Invalid(at, r.Spec.SignerName, "the legacy signerName is not allowed via this API version"))
	} else {
		errs = append(errs, rule.SignerName(r.Spec.SignerName, at)...)
	}
	if n := r.Spec.ExpirationSeconds; n != nil && *n < minExpiration {
		errs = append(errs, field.Invalid(spec.Child("expirationSeconds"), *n, "may not specify a duration less than 600 seconds (10 minutes)"))
	}
	return errs
}

func checkRequest(data []byte) error {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return errors.New("PEM block type must be CERTIFICATE REQUEST")
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return err
	}
	return request.CheckSignature()
}

func validateUsages(usages []certificatesv1.KeyUsage, at *field.Path) (errs field.ErrorList) {
	if len(usages) == 0 {
		errs = append(errs, field.Required(at, ""))
	}
	known := []certificatesv1.KeyUsage{
		certificatesv1.UsageAny, certificatesv1.UsageCRLSign, certificatesv1.UsageCertSign, certificatesv1.UsageClientAuth,
		certificatesv1.UsageCodeSigning, certificatesv1.UsageContentCommitment, certificatesv1.UsageDataEncipherment,
		certificatesv1.UsageDecipherOnly, certificatesv1.UsageDigitalSignature, certificatesv1.UsageEmailProtection,
		certificatesv1.UsageEncipherOnly, certificatesv1.UsageIPsecEndSystem, certificatesv1.UsageIPsecTunnel,
		certificatesv1.UsageIPsecUser, certificatesv1.UsageKeyAgreement, certificatesv1.UsageKeyEncipherment,
		certificatesv1.UsageMicrosoftSGC, certificatesv1.UsageNetscapeSGC, certificatesv1.UsageOCSPSigning,
		certificatesv1.UsageSMIME, certificatesv1.UsageServerAuth, certificatesv1.UsageSigning, certificatesv1.UsageTimestamping,
	}
	slices.Sort(known)
	for i, usage := range usages {
		errs = append(errs, rule.OneOf(usage, at.Index(i), known...)...)
		if slices.Contains(usages[:i], usage) {
			errs = append(errs, field.Duplicate(at.Index(i), usage))
		}
	}
	return errs
}

// KeepDecisions gives decisions that an update of the status repeats back the form that they have in old.
func KeepDecisions(r, old *signingRequest) {
	for _, kind := range decisions {
		was := conditionsOf(old, kind)
		if len(was) != len(conditionsOf(r, kind)) {
			continue
		}
		for i := range r.Status.Conditions {
			if r.Status.Conditions[i].Type == kind {
				r.Status.Conditions[i], was = was[0], was[1:]
			}
		}
	}
}

// StampConditions fills in the times of conditions; one that was there before keeps the time of its last transition.
func StampConditions(r, old *signingRequest, now metav1.Time) {
	for i := range r.Status.Conditions {
		c := &r.Status.Conditions[i]
		if c.LastUpdateTime.IsZero() {
			c.LastUpdateTime = now
		}
		if !c.LastTransitionTime.IsZero() {
			continue
		}
		c.LastTransitionTime = now
		for _, was := range old.Status.Conditions {
			if was.Type == c.Type && was.Status == c.Status && !was.LastTransitionTime.IsZero() {
				c.LastTransitionTime = was.LastTransitionTime
				break
			}
		}
	}
}

// ValidateStatus checks an update of the status: decisions are not its to make.
func ValidateStatus(r, old *signingRequest) field.ErrorList {
	at := field.NewPath("status", "conditions")
	errs := append(validateConditions(r, old, at), validateCertificate(r, old)...)
	for _, kind := range decisions {
		switch was, is := conditionsOf(old, kind), conditionsOf(r, kind); {
		case len(is) > len(was):
			errs = append(errs, field.Forbidden(at, fmt.Sprintf("updates may not add a condition of type %q", kind)))
		case len(is) == len(was) && !apiequality.Semantic.DeepEqual(is, was):
			errs = append(errs, field.Forbidden(at, fmt.Sprintf("updates may not modify a condition of type %q", kind)))
		}
	}
	return errs
}

// ValidateApproval checks a decision.
func ValidateApproval(r, old *signingRequest) field.ErrorList {
	return validateConditions(r, old, field.NewPath("status", "conditions"))
}

func conditionsOf(r *signingRequest, kind certificatesv1.RequestConditionType) (all []condition) {
	for _, c := range r.Status.Conditions {
		if c.Type == kind {
			all = append(all, c)
		}
	}
	return all
}

func validateConditions(r, old *signingRequest, at *field.Path) (errs field.ErrorList) {
	for i, c := range r.Status.Conditions {
		errs = append(errs, validateCondition(&c, at.Index(i))...)
		if slices.ContainsFunc(r.Status.Conditions[:i], func(other condition) bool { return other.Type == c.Type }) && len(conditionsOf(old, c.Type)) < 2 {
			errs = append(errs, field.Duplicate(at.Index(i).Child("type"), c.Type))
		}
	}
	approved, denied := len(conditionsOf(r, certificatesv1.CertificateApproved)) > 0, len(conditionsOf(r, certificatesv1.CertificateDenied)) > 0
	if approved && denied {
		errs = append(errs, field.Invalid(at, certificatesv1.CertificateDenied, "Approved and Denied conditions are mutually exclusive"))
	}
	for _, kind := range append(slices.Clone(decisions), certificatesv1.CertificateFailed) {
		if len(conditionsOf(r, kind)) < len(conditionsOf(old, kind)) {
			errs = append(errs, field.Forbidden(at, fmt.Sprintf("updates may not remove a condition of type %q", kind)))
		}
	}
	return errs
}

func validateCondition(c *condition, at *field.Path) (errs field.ErrorList) {
	if c.Type == "" {
		errs = append(errs, field.Required(at.Child("type"), ""))
	}
	switch c.Type {
	case certificatesv1.CertificateApproved, certificatesv1.CertificateDenied, certificatesv1.CertificateFailed:
		return append(errs, rule.RequiredOneOf(c.Status, at.Child("status"), corev1.ConditionTrue)...)
	}
	return append(errs, rule.RequiredOneOf(c.Status, at.Child("status"), corev1.ConditionFalse, corev1.ConditionTrue, corev1.ConditionUnknown)...)
}

// validateCertificate lets a certificate be set once.
func validateCertificate(r, old *signingRequest) (errs field.ErrorList) {
	at := field.NewPath("status", "certificate")
	if bytes.Equal(r.Status.Certificate, old.Status.Certificate) {
		return nil
	}
	if err := checkCertificates(r.Status.Certificate); err != nil {
		errs = append(errs, field.Invalid(at, "<certificate data>", err.Error()))
	}
	if len(old.Status.Certificate) > 0 {
		errs = append(errs, field.Forbidden(at, "updates may not modify existing certificate content"))
	}
	return errs
}

func checkCertificates(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	for n := 0; ; n++ {
		block, rest := pem.Decode(data)
		switch {
		case block == nil && n == 0:
			return errors.New("must contain at least one CERTIFICATE PEM block")
		case block == nil:
			return nil
		case block.Type != "CERTIFICATE":
			return fmt.Errorf("only CERTIFICATE PEM blocks are allowed, found %q", block.Type)
		case len(block.Headers) > 0:
			return errors.New("no PEM block headers are permitted")
		}
		certificates, err := x509.ParseCertificates(block.Bytes)
		if err != nil {
			return err
		}
		if len(certificates) == 0 {
			return errors.New("found CERTIFICATE PEM block containing 0 certificates")
		}
		data = rest
	}
}
