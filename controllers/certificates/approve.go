package certificates

import (
	"context"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
)

// approve approves the certificates that nodes need, if nobody has to be asked.
func (r *controller) approve(ctx context.Context, csr *request) (done bool, err error) {
	decided := condition(csr, certificatesv1.CertificateApproved) != nil || condition(csr, certificatesv1.CertificateDenied) != nil
	if decided || len(csr.Status.Certificate) > 0 {
		return false, nil
	}
	switch csr.Spec.SignerName {
	case certificatesv1.KubeAPIServerClientKubeletSignerName:
		return r.approveClient(ctx, csr)
	case certificatesv1.KubeletServingSignerName:
		return r.approveServing(ctx, csr)
	}
	return false, nil
}

// approveClient approves the client certificates of kubelets whose users have the right to them.
func (r *controller) approveClient(ctx context.Context, csr *request) (done bool, err error) {
	parsed, err := parse(csr)
	if err != nil || checkKubeletClient(parsed, csr.Spec.Usages) != nil {
		return false, err
	}
	if csr.Spec.Username == parsed.Subject.CommonName {
		if done, err := r.approveIfAllowed(ctx, csr, "selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview."); done || err != nil {
			return done, err
		}
	}
	return r.approveIfAllowed(ctx, csr, "nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview.")
}

func (r *controller) approveIfAllowed(ctx context.Context, csr *request, subresource, message string) (done bool, err error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: csr.Spec.Username, UID: csr.Spec.UID, Groups: csr.Spec.Groups, Extra: map[string]authorizationv1.ExtraValue{},
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Group: "certificates.k8s.io", Resource: "certificatesigningrequests", Subresource: subresource, Verb: "create", Version: "*",
		},
	}}
	for key, value := range csr.Spec.Extra {
		review.Spec.Extra[key] = authorizationv1.ExtraValue(value)
	}
	if err := r.reviews.Create(ctx, review); err != nil {
		return false, fmt.Errorf("asking what the user of request %s may do: %w", csr.Name, err)
	}
	if !review.Status.Allowed {
		return false, nil
	}
	return true, r.writeApproval(ctx, csr, message)
}

func (r *controller) writeApproval(ctx context.Context, csr *request, message string) error {
	csr.Status.Conditions = append(csr.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "AutoApproved", Message: message,
	})
	if err := r.client.SubResource("approval").Update(ctx, csr); err != nil {
		return fmt.Errorf("approving request %s: %w", csr.Name, err)
	}
	return nil
}

// isNodeUser reports whether a name is that of a kubelet.
func isNodeUser(name string) bool { return strings.HasPrefix(name, "system:node:") }
