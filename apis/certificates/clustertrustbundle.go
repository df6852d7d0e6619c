package certificates

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

// maxBundle is the size of a trust bundle in bytes.
const maxBundle = 1 << 20

type trustBundle = certificatesv1.ClusterTrustBundle

// ValidateTrustBundle checks a bundle; old is nil on create. What was stored once is not parsed anew: rules for certificates change.
// https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#cluster-trust-bundles
func ValidateTrustBundle(b, old *trustBundle) (errs field.ErrorList) {
	spec := field.NewPath("spec")
	errs = validateBundleName(b)
	if b.Spec.SignerName != "" {
		errs = append(errs, rule.SignerName(b.Spec.SignerName, spec.Child("signerName"))...)
	}
	if old == nil || old.Spec.TrustBundle != b.Spec.TrustBundle {
		errs = append(errs, validateAnchors(b.Spec.TrustBundle, spec.Child("trustBundle"))...)
	}
	if old != nil {
		errs = append(errs, rule.Immutable(b.Spec.SignerName, old.Spec.SignerName, spec.Child("signerName"))...)
	}
	return errs
}

// validateBundleName requires the signer's name in front, with colons for its slash, of bundles that belong to one.
func validateBundleName(b *trustBundle) (errs field.ErrorList) {
	metadata := field.NewPath("metadata")
	if b.GenerateName != "" {
		errs = rule.Invalid(metadata.Child("generateName"), b.GenerateName, bundleName(b.Spec.SignerName, b.GenerateName, true))
	}
	if b.Name != "" {
		errs = append(errs, rule.Invalid(metadata.Child("name"), b.Name, bundleName(b.Spec.SignerName, b.Name, false))...)
	}
	return errs
}

func bundleName(signer, name string, prefix bool) []string {
	if signer == "" {
		if strings.Contains(name, ":") {
			return []string{`ClusterTrustBundle without signer name must not have ":" in its name`}
		}
		return validation.NameIsDNSSubdomain(name, prefix)
	}
	begin := strings.ReplaceAll(signer, "/", ":") + ":"
	rest, ok := strings.CutPrefix(name, begin)
	if !ok {
		return []string{fmt.Sprintf("ClusterTrustBundle for signerName %s must be named with prefix %s", signer, begin)}
	}
	return validation.NameIsDNSSubdomain(rest, prefix)
}

// validateAnchors requires certificates of authorities, each once, and nothing else in PEM. Text between them is allowed.
func validateAnchors(bundle string, at *field.Path) (errs field.ErrorList) {
	if len(bundle) > maxBundle {
		return field.ErrorList{field.TooLong(at, "", maxBundle)}
	}
	invalid := func(format string, args ...any) {
		errs = append(errs, field.Invalid(at, "<value omitted>", fmt.Sprintf(format, args...)))
	}
	seen := map[string][]int{}
	var order []string
	block, rest := pem.Decode([]byte(bundle))
	for i := 0; block != nil; i++ {
		if problem := anchorProblem(block); problem != "" {
			invalid("entry %d %s", i, problem)
		} else {
			anchor := string(block.Bytes)
			if seen[anchor] == nil {
				order = append(order, anchor)
			}
			seen[anchor] = append(seen[anchor], i)
		}
		block, rest = pem.Decode(rest)
	}
	if len(errs) > 0 {
		return errs
	}
	if len(order) == 0 {
		invalid("at least one trust anchor must be provided")
	}
	for _, anchor := range order {
		if where := seen[anchor]; len(where) > 1 {
			invalid("duplicate trust anchor (indices %v)", where)
		}
	}
	return errs
}

func anchorProblem(block *pem.Block) string {
	if block.Type != "CERTIFICATE" {
		return "has bad block type: " + block.Type
	}
	if len(block.Headers) > 0 {
		return "has PEM block headers"
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	switch {
	case err != nil:
		return "does not parse as X.509"
	case !certificate.IsCA:
		return "does not have the CA bit set"
	case !certificate.BasicConstraintsValid:
		return "has invalid basic constraints"
	}
	return ""
}
