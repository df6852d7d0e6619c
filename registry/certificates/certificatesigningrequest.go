package certificates

import (
	"context"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/coracle-k8s/coracle/apis/certificates"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type signingRequest = certificatesv1.CertificateSigningRequest

// CertificateSigningRequests are approved through one subresource and answered through another. The spec, with who
// asked, is set on create and never changes.
func certificateSigningRequests() *resource.Resource[*signingRequest] {
	return resource.Define(resource.Definition[*signingRequest]{
		Name: "certificatesigningrequests", Short: []string{"csr"},
		NameRule:         func(string, bool) []string { return nil }, // what all names must be is checked anyway
		PrepareForCreate: recordRequester,
		PrepareForUpdate: func(_ context.Context, r, old *signingRequest) { r.Spec = old.Spec },
		Resets:           []string{"spec", "status"},
		ValidateCreate:   certificates.ValidateCreate,
		Fields: []resource.Field[*signingRequest]{
			{Path: "spec.signerName", Value: func(r *signingRequest) string { return r.Spec.SignerName }},
		},
		Columns:    columns(),
		CopyStatus: func(into, from *signingRequest) { into.Status = from.Status },
		Status: &resource.Part[*signingRequest]{
			Prepare: func(_ context.Context, r, old *signingRequest) {
				certificates.KeepDecisions(r, old)
				certificates.StampConditions(r, old, metav1.Now())
			},
			Validate: certificates.ValidateStatus,
			Resets:   []string{"spec", "status.conditions"},
		},
		Subresources: map[string]resource.Subresource[*signingRequest]{
			"approval": resource.Part[*signingRequest]{
				Writes: func(into, from *signingRequest) { into.Status.Conditions = from.Status.Conditions },
				Prepare: func(_ context.Context, r, old *signingRequest) {
					certificates.StampConditions(r, old, metav1.Now())
				},
				Validate: certificates.ValidateApproval,
				Resets:   []string{"spec", "status.certificate"},
			},
		},
	})
}

func recordRequester(ctx context.Context, r *signingRequest) {
	r.Spec.Username, r.Spec.UID, r.Spec.Groups, r.Spec.Extra = "", "", nil, nil
	u, ok := request.UserFrom(ctx)
	if !ok {
		return
	}
	r.Spec.Username, r.Spec.UID, r.Spec.Groups = u.GetName(), u.GetUID(), u.GetGroups()
	for k, v := range u.GetExtra() {
		if r.Spec.Extra == nil {
			r.Spec.Extra = map[string]certificatesv1.ExtraValue{}
		}
		r.Spec.Extra[k] = v
	}
}

func columns() []resource.Column[*signingRequest] {
	doc := certificatesv1.CertificateSigningRequestSpec{}.SwaggerDoc()
	return []resource.Column[*signingRequest]{
		column.Name[*signingRequest](),
		column.Age[*signingRequest](),
		{Name: "SignerName", Description: doc["signerName"], Cell: func(r *signingRequest) any { return r.Spec.SignerName }},
		{Name: "Requestor", Description: doc["request"], Cell: func(r *signingRequest) any { return r.Spec.Username }},
		{Name: "RequestedDuration", Description: doc["expirationSeconds"], Cell: func(r *signingRequest) any {
			if r.Spec.ExpirationSeconds == nil {
				return "<none>"
			}
			return duration.HumanDuration(time.Duration(*r.Spec.ExpirationSeconds) * time.Second)
		}},
		{Name: "Condition", Description: certificatesv1.CertificateSigningRequestStatus{}.SwaggerDoc()["conditions"], Cell: condition},
	}
}

func condition(r *signingRequest) any {
	has := map[certificatesv1.RequestConditionType]bool{}
	for _, c := range r.Status.Conditions {
		has[c.Type] = true
	}
	text := "Pending"
	switch {
	case has[certificatesv1.CertificateDenied]:
		text = "Denied"
	case has[certificatesv1.CertificateApproved]:
		text = "Approved"
	}
	if has[certificatesv1.CertificateFailed] {
		text += ",Failed"
	}
	if len(r.Status.Certificate) > 0 {
		text += ",Issued"
	}
	return text
}
