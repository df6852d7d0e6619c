package certificates

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

const (
	defaultLifetime = 365 * 24 * time.Hour
	minLifetime     = 10 * time.Minute
	// backdate makes up for clocks that are slow.
	backdate = 5 * time.Minute
	// short lifetimes are not made shorter by backdate.
	short = 8 * time.Hour
)

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	lifetime    time.Duration
}

func newAuthority(certificate, key []byte, lifetime time.Duration) (*authority, error) {
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("reading the CA's certificate and key: %w", err)
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("reading the CA's key: a %T cannot sign", pair.PrivateKey)
	}
	parsed, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("reading the CA's certificate: %w", err)
	}
	if lifetime == 0 {
		lifetime = defaultLifetime
	}
	return &authority{certificate: parsed, key: signer, lifetime: lifetime}, nil
}

// sign issues the certificate of an approved request to one of the built-in signers.
func (r *controller) sign(ctx context.Context, csr *request) (verdict, error) {
	approved := condition(csr, certificatesv1.CertificateApproved) != nil && condition(csr, certificatesv1.CertificateDenied) == nil
	finished := len(csr.Status.Certificate) > 0 || condition(csr, certificatesv1.CertificateFailed) != nil
	check, ours := checks()[csr.Spec.SignerName]
	if r.ca == nil || !approved || finished || !ours {
		return verdict{}, nil
	}
	parsed, err := parse(csr)
	if err != nil {
		return verdict{}, err
	}
	if wrong := check(parsed, csr.Spec.Usages); wrong != nil {
		csr.Status.Conditions = append(csr.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
			Type: certificatesv1.CertificateFailed, Status: corev1.ConditionTrue,
			Reason: "SignerValidationFailure", Message: wrong.Error(), LastUpdateTime: metav1.NewTime(r.now()),
		})
	} else if csr.Status.Certificate, err = r.ca.sign(parsed, csr.Spec.Usages, csr.Spec.ExpirationSeconds, r.now()); err != nil {
		return verdict{}, fmt.Errorf("signing request %s: %w", csr.Name, err)
	}
	if err := r.client.Status().Update(ctx, csr); err != nil {
		return verdict{}, fmt.Errorf("writing the status of request %s: %w", csr.Name, err)
	}
	return verdict{done: true}, nil
}

func (a *authority) sign(request *x509.CertificateRequest, usages []certificatesv1.KeyUsage, seconds *int32, now time.Time) ([]byte, error) {
	if err := request.CheckSignature(); err != nil {
		return nil, fmt.Errorf("verifying the request's signature: %w", err)
	}
	if !now.Before(a.certificate.NotAfter) {
		return nil, fmt.Errorf("the signer has expired: NotAfter=%v", a.certificate.NotAfter)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: request.Subject,
		DNSNames: request.DNSNames, IPAddresses: request.IPAddresses, EmailAddresses: request.EmailAddresses, URIs: request.URIs,
		BasicConstraintsValid: true,
	}
	template.NotBefore, template.NotAfter = a.validity(seconds, now)
	if template.KeyUsage, template.ExtKeyUsage, err = keyUsages(usages); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, request.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// validity is never longer than the CA's own.
func (a *authority) validity(seconds *int32, now time.Time) (from, until time.Time) {
	lifetime := a.lifetime
	if seconds != nil {
		lifetime = max(minLifetime, min(time.Duration(ptr.Deref(seconds, 0))*time.Second, a.lifetime))
	}
	from, until = now.Add(-backdate), now.Add(lifetime)
	if lifetime >= short {
		until = until.Add(-backdate)
	}
	if until.After(a.certificate.NotAfter) {
		until = a.certificate.NotAfter
	}
	return from, until
}

func keyUsages(usages []certificatesv1.KeyUsage) (x509.KeyUsage, []x509.ExtKeyUsage, error) {
	plain := map[certificatesv1.KeyUsage]x509.KeyUsage{
		certificatesv1.UsageSigning:           x509.KeyUsageDigitalSignature,
		certificatesv1.UsageDigitalSignature:  x509.KeyUsageDigitalSignature,
		certificatesv1.UsageContentCommitment: x509.KeyUsageContentCommitment,
		certificatesv1.UsageKeyEncipherment:   x509.KeyUsageKeyEncipherment,
		certificatesv1.UsageKeyAgreement:      x509.KeyUsageKeyAgreement,
		certificatesv1.UsageDataEncipherment:  x509.KeyUsageDataEncipherment,
		certificatesv1.UsageCertSign:          x509.KeyUsageCertSign,
		certificatesv1.UsageCRLSign:           x509.KeyUsageCRLSign,
		certificatesv1.UsageEncipherOnly:      x509.KeyUsageEncipherOnly,
		certificatesv1.UsageDecipherOnly:      x509.KeyUsageDecipherOnly,
	}
	extended := map[certificatesv1.KeyUsage]x509.ExtKeyUsage{
		certificatesv1.UsageAny:             x509.ExtKeyUsageAny,
		certificatesv1.UsageServerAuth:      x509.ExtKeyUsageServerAuth,
		certificatesv1.UsageClientAuth:      x509.ExtKeyUsageClientAuth,
		certificatesv1.UsageCodeSigning:     x509.ExtKeyUsageCodeSigning,
		certificatesv1.UsageEmailProtection: x509.ExtKeyUsageEmailProtection,
		certificatesv1.UsageSMIME:           x509.ExtKeyUsageEmailProtection,
		certificatesv1.UsageIPsecEndSystem:  x509.ExtKeyUsageIPSECEndSystem,
		certificatesv1.UsageIPsecTunnel:     x509.ExtKeyUsageIPSECTunnel,
		certificatesv1.UsageIPsecUser:       x509.ExtKeyUsageIPSECUser,
		certificatesv1.UsageTimestamping:    x509.ExtKeyUsageTimeStamping,
		certificatesv1.UsageOCSPSigning:     x509.ExtKeyUsageOCSPSigning,
		certificatesv1.UsageMicrosoftSGC:    x509.ExtKeyUsageMicrosoftServerGatedCrypto,
		certificatesv1.UsageNetscapeSGC:     x509.ExtKeyUsageNetscapeServerGatedCrypto,
	}
	var bits x509.KeyUsage
	ext := map[x509.ExtKeyUsage]struct{}{}
	for _, usage := range usages {
		if bit, ok := plain[usage]; ok {
			bits |= bit
		} else if e, ok := extended[usage]; ok {
			ext[e] = struct{}{}
		} else {
			return 0, nil, fmt.Errorf("unrecognized usage values: %q", usage)
		}
	}
	return bits, slices.Sorted(maps.Keys(ext)), nil
}
