package certificates

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	apimachineryvalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

const (
	day        = 24 * 60 * 60
	minSeconds = 60 * 60
	maxSeconds = 91 * day
	// maxOwnSeconds is the longest that Kubernetes' own signers may be asked for.
	maxOwnSeconds = day
	maxUID        = 128
	maxStub       = 10 << 10
)

type podRequest = certificatesv1.PodCertificateRequest

// DefaultPodRequest asks for a day where no duration is given.
func DefaultPodRequest(r *podRequest) {
	if r.Spec.MaxExpirationSeconds == nil {
		r.Spec.MaxExpirationSeconds = new(int32(day))
	}
}

// ValidatePodRequest checks a new request.
// https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#pod-certificate-requests
func ValidatePodRequest(r *podRequest) field.ErrorList {
	spec := field.NewPath("spec")
	errs := rule.SignerName(r.Spec.SignerName, spec.Child("signerName"))
	if r.Spec.UnverifiedUserAnnotations != nil {
		errs = append(errs, ValidateUserAnnotations(r.Spec.UnverifiedUserAnnotations, spec.Child("unverifiedUserAnnotations"))...)
	}
	for _, who := range []struct {
		kind, name string
		uid        types.UID
	}{
		{"pod", r.Spec.PodName, r.Spec.PodUID},
		{"serviceAccount", r.Spec.ServiceAccountName, r.Spec.ServiceAccountUID},
		{"node", string(r.Spec.NodeName), r.Spec.NodeUID},
	} {
		errs = append(errs, rule.Invalid(spec.Child(who.kind+"Name"), who.name, apimachineryvalidation.NameIsDNSSubdomain(who.name, false))...)
		uid := spec.Child(who.kind + "UID")
		if who.uid == "" {
			errs = append(errs, field.Invalid(uid, who.uid, "must not be empty"))
		} else if len(who.uid) > maxUID {
			errs = append(errs, field.TooLong(uid, who.uid, maxUID))
		}
	}
	if r.Spec.MaxExpirationSeconds == nil {
		return append(errs, field.Required(spec.Child("maxExpirationSeconds"), "must be set"))
	}
	most := int32(maxSeconds)
	if IsOwnSigner(r.Spec.SignerName) {
		most = maxOwnSeconds
	}
	if n := *r.Spec.MaxExpirationSeconds; n < minSeconds || n > most {
		errs = append(errs, field.Invalid(spec.Child("maxExpirationSeconds"), n, fmt.Sprintf("must be in the range [%d, %d]", minSeconds, most)))
	}
	if len(r.Spec.StubPKCS10Request) == 0 {
		return append(errs, field.Invalid(spec, field.OmitValueType{}, "exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be set"))
	}
	return append(errs, validateStub(r.Spec.StubPKCS10Request, spec.Child("stubPKCS10Request"))...)
}

// ValidatePodRequestUpdate checks that nothing but metadata changes.
func ValidatePodRequestUpdate(r, old *podRequest) field.ErrorList {
	errs := rule.Immutable(r.Spec, old.Spec, field.NewPath("spec"))
	for _, err := range errs {
		err.BadValue = shownSpec{
			r.Spec.SignerName, r.Spec.PodName, r.Spec.PodUID, r.Spec.ServiceAccountName, r.Spec.ServiceAccountUID, string(r.Spec.NodeName), r.Spec.NodeUID,
			r.Spec.MaxExpirationSeconds, nil, nil, r.Spec.StubPKCS10Request, r.Spec.UnverifiedUserAnnotations,
		}
	}
	return errs
}

// shownSpec is the spec as upstream's internal type has it, with fields of older versions.
type shownSpec struct {
	SignerName, PodName              string
	PodUID                           types.UID
	ServiceAccountName               string
	ServiceAccountUID                types.UID
	NodeName                         string
	NodeUID                          types.UID
	MaxExpirationSeconds             *int32
	PKIXPublicKey, ProofOfPossession []byte
	StubPKCS10Request                []byte
	UnverifiedUserAnnotations        map[string]string
}

// IsOwnSigner reports whether the signer is one of Kubernetes.
func IsOwnSigner(name string) bool {
	domain, _, _ := strings.Cut(name, "/")
	return domain == "kubernetes.io" || strings.HasSuffix(domain, ".kubernetes.io")
}

// ValidateUserAnnotations requires keys with a domain in front, in whatever case.
func ValidateUserAnnotations(annotations map[string]string, at *field.Path) (errs field.ErrorList) {
	for key := range annotations {
		errs = append(errs, validation.IsDomainPrefixedKey(at, strings.ToLower(key))...)
	}
	if apimachineryvalidation.ValidateAnnotationsSize(annotations) != nil {
		errs = append(errs, field.TooLong(at, "", apimachineryvalidation.TotalAnnotationSizeLimitB))
	}
	return errs
}

// validateStub checks that the request is signed with a key of a kind that is allowed. What else it says is the signer's business.
func validateStub(stub []byte, at *field.Path) field.ErrorList {
	if len(stub) > maxStub {
		return field.ErrorList{field.TooLong(at, stub, maxStub)}
	}
	request, err := x509.ParseCertificateRequest(stub)
	if err != nil {
		return field.ErrorList{field.Invalid(at, field.OmitValueType{}, "must be a valid PKCS#10 CSR")}
	}
	switch key := request.PublicKey.(type) {
	case ed25519.PublicKey:
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() && key.Curve != elliptic.P384() && key.Curve != elliptic.P521() {
			return field.ErrorList{field.Invalid(at, "curve "+key.Curve.Params().Name, "elliptic public keys must use curve P256, P384, or P521")}
		}
	case *rsa.PublicKey:
		if bits := key.Size() * 8; bits != 3072 && bits != 4096 {
			return field.ErrorList{field.Invalid(at, fmt.Sprintf("%d-bit modulus", bits), "RSA keys must have modulus size 3072 or 4096")}
		}
	default:
		return field.ErrorList{field.Invalid(at, field.OmitValueType{}, "unknown public key type; supported types are Ed25519, ECDSA, and RSA")}
	}
	if err := request.CheckSignature(); err != nil {
		return field.ErrorList{field.Invalid(at, field.OmitValueType{}, "invalid signature")}
	}
	return nil
}
