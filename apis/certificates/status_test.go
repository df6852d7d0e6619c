package certificates

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func has(kind certificatesv1.RequestConditionType, reason string) condition {
	return condition{Type: kind, Status: corev1.ConditionTrue, Reason: reason}
}

func with(certificate []byte, conditions ...condition) *signingRequest {
	return &signingRequest{Status: certificatesv1.CertificateSigningRequestStatus{Certificate: certificate, Conditions: conditions}}
}

func selfSigned(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestWhoMayWriteWhatOfTheStatus(t *testing.T) {
	certificate := selfSigned(t)
	approved, denied, failed := has(certificatesv1.CertificateApproved, "a"), has(certificatesv1.CertificateDenied, "d"), has(certificatesv1.CertificateFailed, "f")
	unsure := approved
	unsure.Status = corev1.ConditionFalse
	for _, c := range []struct {
		name     string
		validate func(r, old *signingRequest) field.ErrorList
		new, old *signingRequest
		want     []string
	}{
		{"approve", ValidateApproval, with(nil, approved), with(nil), nil},
		{"approve and deny", ValidateApproval, with(nil, approved, denied), with(nil), []string{"FieldValueInvalid status.conditions"}},
		{"take back", ValidateApproval, with(nil), with(nil, approved), []string{"FieldValueForbidden status.conditions"}},
		{"approve twice", ValidateApproval, with(nil, approved, approved), with(nil), []string{"FieldValueDuplicate status.conditions[1].type"}},
		{"approve a little", ValidateApproval, with(nil, unsure), with(nil), []string{"FieldValueNotSupported status.conditions[0].status"}},
		{"nothing in particular", ValidateApproval, with(nil, condition{}), with(nil), []string{"FieldValueRequired status.conditions[0].type", "FieldValueRequired status.conditions[0].status"}},
		{"issue", ValidateStatus, with(certificate, approved), with(nil, approved), nil},
		{"issue junk", ValidateStatus, with([]byte("junk"), approved), with(nil, approved), []string{"FieldValueInvalid status.certificate"}},
		{"issue again", ValidateStatus, with(selfSigned(t), approved), with(certificate, approved), []string{"FieldValueForbidden status.certificate"}},
		{"fail", ValidateStatus, with(nil, approved, failed), with(nil, approved), nil},
		{"approve as a signer", ValidateStatus, with(nil, approved), with(nil), []string{"FieldValueForbidden status.conditions"}},
		{"change the approval", ValidateStatus, with(nil, has(certificatesv1.CertificateApproved, "x")), with(nil, approved), []string{"FieldValueForbidden status.conditions"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, err := range c.validate(c.new, c.old) {
				got = append(got, string(err.Type)+" "+err.Field)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestConditionsGetTimesAndDecisionsKeepTheirForm(t *testing.T) {
	before, now := metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), metav1.NewTime(time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))
	old := with(nil, has(certificatesv1.CertificateApproved, "a"))
	old.Status.Conditions[0].LastTransitionTime, old.Status.Conditions[0].LastUpdateTime = before, before
	r := with(nil, has(certificatesv1.CertificateFailed, "f"), has(certificatesv1.CertificateApproved, "other"))
	KeepDecisions(r, old)
	StampConditions(r, old, now)
	if diff := cmp.Diff(old.Status.Conditions[0], r.Status.Conditions[1]); diff != "" {
		t.Errorf("the approval has changed:\n%s", diff)
	}
	if c := r.Status.Conditions[0]; c.LastTransitionTime != now || c.LastUpdateTime != now {
		t.Errorf("the failure has times %v and %v", c.LastTransitionTime, c.LastUpdateTime)
	}
	r = with(nil, has(certificatesv1.CertificateApproved, "new reason"))
	StampConditions(r, old, now)
	if c := r.Status.Conditions[0]; c.LastTransitionTime != before || c.LastUpdateTime != now {
		t.Errorf("the approval has times %v and %v", c.LastTransitionTime, c.LastUpdateTime)
	}
}
