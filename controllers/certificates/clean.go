package certificates

import (
	"crypto/x509"
	"encoding/pem"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
)

const (
	keepFinished = time.Hour
	keepPending  = 24 * time.Hour
)

// expiry is when a request is cleared away: an hour after it was answered, or when its certificate is no longer valid;
// a day after its creation or approval if nobody answers. known is false for a state without an end.
func expiry(csr *request) (until time.Time, known bool) {
	approved := condition(csr, certificatesv1.CertificateApproved)
	issued := len(csr.Status.Certificate) > 0
	consider := func(t time.Time) {
		if !known || t.Before(until) {
			until, known = t, true
		}
	}
	if len(csr.Status.Conditions) == 0 {
		consider(csr.CreationTimestamp.Add(keepPending))
	}
	for _, kind := range []certificatesv1.RequestConditionType{certificatesv1.CertificateDenied, certificatesv1.CertificateFailed} {
		if c := condition(csr, kind); c != nil && !c.LastUpdateTime.IsZero() {
			consider(c.LastUpdateTime.Add(keepFinished))
		}
	}
	if approved == nil {
		return until, known
	}
	if !approved.LastUpdateTime.IsZero() {
		keep := keepPending
		if issued {
			keep = keepFinished
		}
		consider(approved.LastUpdateTime.Add(keep))
	}
	if end, ok := validUntil(csr.Status.Certificate); ok {
		consider(end)
	}
	return until, known
}

func validUntil(certificate []byte) (end time.Time, ok bool) {
	block, _ := pem.Decode(certificate)
	if block == nil {
		return end, false
	}
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return end, false
	}
	return parsed.NotAfter, true
}
