package certificates

import (
	"context"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
)

func TestTheRequesterIsWhoAsks(t *testing.T) {
	r := &signingRequest{Spec: certificatesv1.CertificateSigningRequestSpec{Username: "root", Groups: []string{"system:masters"}}}
	recordRequester(request.WithUser(context.Background(), &user.DefaultInfo{Name: "bob", Extra: map[string][]string{"k": {"v"}}}), r)
	if r.Spec.Username != "bob" || len(r.Spec.Groups) > 0 || len(r.Spec.Extra["k"]) != 1 {
		t.Errorf("recorded %+v", r.Spec)
	}
}

func TestConditionsInTables(t *testing.T) {
	with := func(certificate string, kinds ...certificatesv1.RequestConditionType) *signingRequest {
		r := &signingRequest{Status: certificatesv1.CertificateSigningRequestStatus{Certificate: []byte(certificate)}}
		for _, kind := range kinds {
			r.Status.Conditions = append(r.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{Type: kind})
		}
		return r
	}
	for want, r := range map[string]*signingRequest{
		"Pending": with(""), "Approved,Issued": with("x", certificatesv1.CertificateApproved), "Denied": with("", certificatesv1.CertificateDenied),
		"Approved,Failed": with("", certificatesv1.CertificateFailed, certificatesv1.CertificateApproved),
	} {
		if got := condition(r); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
