// Package certificates says who may approve, sign and vouch for certificates, and which must not be asked for.
// See https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#authorization.
package certificates

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/coracle-k8s/coracle/registry/admission/plugin"
	"github.com/coracle-k8s/coracle/registry/authz"
)

const requests, bundles = "certificatesigningrequests", "clustertrustbundles"

// Approval makes the plugin CertificateApproval: approving needs the verb approve on the request's signer.
func Approval(allows authorizer.UnconditionalAuthorizer) admission.Interface {
	return plugin.Validating(plugin.On{
		Operations: []admission.Operation{admission.Update}, Group: certificatesv1.GroupName, Resources: []string{requests + "/approval"},
	}, func(ctx context.Context, a admission.Attributes) error {
		old, err := plugin.Old[*certificatesv1.CertificateSigningRequest](a)
		if err != nil {
			return err
		}
		return mustBeAllowed(ctx, allows, a, "approve", old.Spec.SignerName)
	})
}

// Signing makes the plugin CertificateSigning: issuing, or failing to, needs the verb sign on the request's signer.
func Signing(allows authorizer.UnconditionalAuthorizer) admission.Interface {
	return plugin.Validating(plugin.On{
		Operations: []admission.Operation{admission.Update}, Group: certificatesv1.GroupName, Resources: []string{requests + "/status"},
	}, func(ctx context.Context, a admission.Attributes) error {
		old, err := plugin.Old[*certificatesv1.CertificateSigningRequest](a)
		if err != nil {
			return err
		}
		csr, err := plugin.Object[*certificatesv1.CertificateSigningRequest](a)
		if err != nil {
			return err
		}
		if bytes.Equal(old.Status.Certificate, csr.Status.Certificate) && equality.Semantic.DeepEqual(old.Status.Conditions, csr.Status.Conditions) {
			return nil
		}
		return mustBeAllowed(ctx, allows, a, "sign", old.Spec.SignerName)
	})
}

// Attest makes the plugin ClusterTrustBundleAttest: vouching for a signer's authorities needs the verb attest on the signer. Owners and
// finalizers may be changed without.
func Attest(allows authorizer.UnconditionalAuthorizer) admission.Interface {
	return plugin.Validating(plugin.On{
		Operations: []admission.Operation{admission.Create, admission.Update}, Group: certificatesv1.GroupName, Resources: []string{bundles},
	}, func(ctx context.Context, a admission.Attributes) error {
		b, err := plugin.Object[*certificatesv1.ClusterTrustBundle](a)
		if err != nil || b.Spec.SignerName == "" || a.GetOperation() == admission.Update && onlyCollected(a) {
			return err
		}
		if authz.ForSigner(ctx, allows, a.GetUserInfo(), "attest", b.Spec.SignerName) {
			return nil
		}
		return admission.NewForbidden(a, fmt.Errorf("user not permitted to attest for signerName %q", b.Spec.SignerName))
	})
}

// onlyCollected reports whether an update of a bundle changes nothing but owners and finalizers.
func onlyCollected(a admission.Attributes) bool {
	old, errOld := plugin.Old[*certificatesv1.ClusterTrustBundle](a)
	b, err := plugin.Object[*certificatesv1.ClusterTrustBundle](a)
	if err != nil || errOld != nil {
		return false
	}
	same := b.DeepCopy()
	same.OwnerReferences, same.Finalizers, same.ManagedFields = old.OwnerReferences, old.Finalizers, old.ManagedFields
	return equality.Semantic.DeepEqual(same, old)
}

// SubjectRestriction makes the plugin CertificateSubjectRestriction: nobody becomes a member of system:masters by a request.
func SubjectRestriction() admission.Interface {
	return plugin.Validating(plugin.On{
		Operations: []admission.Operation{admission.Create}, Group: certificatesv1.GroupName, Resources: []string{requests},
	}, func(_ context.Context, a admission.Attributes) error {
		csr, err := plugin.Object[*certificatesv1.CertificateSigningRequest](a)
		if err != nil || csr.Spec.SignerName != certificatesv1.KubeAPIServerClientSignerName {
			return err
		}
		request, err := Parse(csr.Spec.Request)
		if err != nil {
			return admission.NewForbidden(a, fmt.Errorf("failed to parse CSR: %w", err))
		}
		if slices.Contains(request.Subject.Organization, user.SystemPrivilegedGroup) {
			return admission.NewForbidden(a, fmt.Errorf("use of %s signer with system:masters group is not allowed", csr.Spec.SignerName))
		}
		return nil
	})
}

// Parse reads a certificate signing request in PEM.
func Parse(data []byte) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, errors.New("PEM block type must be CERTIFICATE REQUEST")
	}
	return x509.ParseCertificateRequest(block.Bytes)
}

// mustBeAllowed requires the verb on the signer.
func mustBeAllowed(ctx context.Context, allows authorizer.UnconditionalAuthorizer, a admission.Attributes, verb, signer string) error {
	if authz.ForSigner(ctx, allows, a.GetUserInfo(), verb, signer) {
		return nil
	}
	return admission.NewForbidden(a, fmt.Errorf("user not permitted to %s requests with signerName %q", verb, signer))
}
