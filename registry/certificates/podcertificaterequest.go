package certificates

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/coracle-k8s/coracle/apis/certificates"
	"github.com/coracle-k8s/coracle/registry/authz"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type podRequest = certificatesv1.PodCertificateRequest

// PodCertificateRequests are made by kubelets for their Pods, and answered once, through the status.
func podCertificateRequests(signers authorizer.UnconditionalAuthorizer) *resource.Resource[*podRequest] {
	doc := certificatesv1.PodCertificateRequestSpec{}.SwaggerDoc()
	text := func(name, of string, cell func(*podRequest) string) resource.Column[*podRequest] {
		return resource.Column[*podRequest]{Name: name, Description: doc[of], Cell: func(r *podRequest) any { return cell(r) }}
	}
	return resource.Define(resource.Definition[*podRequest]{
		Name: "podcertificaterequests", Namespaced: true,
		Default:         certificates.DefaultPodRequest,
		ValidateCreate:  certificates.ValidatePodRequest,
		ValidateUpdate:  certificates.ValidatePodRequestUpdate,
		VersionRequired: true,
		Fields: []resource.Field[*podRequest]{
			{Path: "spec.signerName", Value: func(r *podRequest) string { return r.Spec.SignerName }},
			{Path: "spec.podName", Value: func(r *podRequest) string { return r.Spec.PodName }},
			{Path: "spec.nodeName", Indexed: true, Value: func(r *podRequest) string { return string(r.Spec.NodeName) }},
		},
		Columns: []resource.Column[*podRequest]{
			column.Name[*podRequest](),
			text("PodName", "podName", func(r *podRequest) string { return r.Spec.PodName }),
			text("ServiceAccountName", "serviceAccountName", func(r *podRequest) string { return r.Spec.ServiceAccountName }),
			text("NodeName", "nodeName", func(r *podRequest) string { return string(r.Spec.NodeName) }),
			text("SignerName", "signerName", func(r *podRequest) string { return r.Spec.SignerName }),
			{Name: "State", Description: "Is the request Pending, Issued, Denied, or Failed?", Cell: func(r *podRequest) any {
				return cmp.Or(certificates.PodRequestOutcome(r), "Pending")
			}},
			text("UnverifiedUserAnnotations", "unverifiedUserAnnotations", func(r *podRequest) string {
				return labels.FormatLabels(r.Spec.UnverifiedUserAnnotations)
			}),
		},
		CopyStatus: func(into, from *podRequest) { into.Status = from.Status },
		Status: &resource.Part[*podRequest]{
			FreezeMetadata: true,
			ValidateRequest: func(ctx context.Context, r, old *podRequest) field.ErrorList {
				if errs := certificates.ValidatePodRequestStatus(r, old, time.Now()); len(errs) > 0 || apiequality.Semantic.DeepEqual(r.Status, old.Status) {
					return errs
				}
				return mustSign(ctx, signers, old.Spec.SignerName)
			},
			Resets: []string{"metadata", "spec"},
		},
	})
}

// mustSign requires that who answers may sign for the signer.
func mustSign(ctx context.Context, signers authorizer.UnconditionalAuthorizer, signer string) field.ErrorList {
	at := field.NewPath("spec", "signerName")
	u, ok := request.UserFrom(ctx)
	if !ok {
		return field.ErrorList{field.InternalError(at, errors.New(`cannot determine calling user to perform "sign" check`))}
	}
	if authz.ForSigner(ctx, signers, u, "sign", signer) {
		return nil
	}
	return field.ErrorList{field.Forbidden(at, fmt.Sprintf(`User %q is not permitted to "sign" for signer %q`, u.GetName(), signer))}
}
