package certificates

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
)

// approve approves the certificates that nodes need, if nobody has to be asked.
func (r *controller) approve(ctx context.Context, csr *request) (verdict, error) {
	decided := condition(csr, certificatesv1.CertificateApproved) != nil || condition(csr, certificatesv1.CertificateDenied) != nil
	if decided || len(csr.Status.Certificate) > 0 {
		return verdict{}, nil
	}
	switch csr.Spec.SignerName {
	case certificatesv1.KubeAPIServerClientKubeletSignerName:
		return r.approveClient(ctx, csr)
	case certificatesv1.KubeletServingSignerName:
		return r.approveServing(ctx, csr)
	case bootstrap.ProxySigner:
		return r.approveProxy(ctx, csr)
	}
	return verdict{}, nil
}

// verdict is what a phase has come to. The zero value leaves the request to the next phase, or to people.
type verdict struct {
	// done says that the request was written: what comes next follows from that.
	done bool
	// again is when to look at it again, if nothing happens before.
	again time.Duration
}

// approveClient approves the client certificates of kubelets whose users have the right to them: renewals, and those of new nodes.
func (r *controller) approveClient(ctx context.Context, csr *request) (verdict, error) {
	parsed, err := parse(csr)
	if err != nil || checkKubeletClient(parsed, csr.Spec.Usages) != nil {
		return verdict{}, err
	}
	if csr.Spec.Username == parsed.Subject.CommonName {
		if allowed, err := r.allowed(ctx, csr, "selfnodeclient"); err != nil {
			return verdict{}, err
		} else if allowed {
			return r.writeApproval(ctx, csr, "Auto approving self kubelet client certificate after SubjectAccessReview.")
		}
	}
	allowed, err := r.allowed(ctx, csr, "nodeclient")
	if err != nil || !allowed {
		return verdict{}, err
	}
	return r.approveJoining(ctx, csr, nodeOf(parsed.Subject.CommonName))
}

// approveProxy approves the certificate of a node's Service proxy that the node itself asks for.
func (r *controller) approveProxy(ctx context.Context, csr *request) (verdict, error) {
	parsed, err := parse(csr)
	if err != nil || checkNodeProxy(parsed, csr.Spec.Usages) != nil {
		return verdict{}, err
	}
	if !askedByNode(csr) || parsed.Subject.CommonName != bootstrap.ProxyUser(nodeOf(csr.Spec.Username)) {
		return verdict{}, nil
	}
	return r.writeApproval(ctx, csr, "The node asks for its own proxy.")
}

func (r *controller) allowed(ctx context.Context, csr *request, subresource string) (bool, error) {
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
	return review.Status.Allowed, nil
}

func (r *controller) writeApproval(ctx context.Context, csr *request, message string) (verdict, error) {
	return r.write(ctx, csr, certificatesv1.CertificateApproved, "AutoApproved", message)
}

func (r *controller) writeDenial(ctx context.Context, csr *request, why string) (verdict, error) {
	return r.write(ctx, csr, certificatesv1.CertificateDenied, "AutoDenied", why)
}

func (r *controller) write(ctx context.Context, csr *request, kind certificatesv1.RequestConditionType, reason, message string) (verdict, error) {
	csr.Status.Conditions = append(csr.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: message,
	})
	if err := r.client.SubResource("approval").Update(ctx, csr); err != nil {
		return verdict{}, fmt.Errorf("writing whether request %s is approved: %w", csr.Name, err)
	}
	return verdict{done: true}, nil
}

const nodeUser = "system:node:"

// isNodeUser reports whether a name is that of a kubelet.
func isNodeUser(name string) bool { return strings.HasPrefix(name, nodeUser) }

// nodeOf is the name of a kubelet's Node.
func nodeOf(user string) string { return strings.TrimPrefix(user, nodeUser) }

// askedByNode reports whether a kubelet asks.
func askedByNode(csr *request) bool {
	return isNodeUser(csr.Spec.Username) && slices.Contains(csr.Spec.Groups, nodesGroup)
}
