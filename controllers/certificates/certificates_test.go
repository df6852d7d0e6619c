package certificates

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

var now = time.Now().Truncate(time.Second)

func testAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(1000 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a, err := newAuthority(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 100*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func requestFor(t *testing.T, change func(*x509.CertificateRequest)) *x509.CertificateRequest {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "system:node:n", Organization: []string{"system:nodes"}}}
	change(template)
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func unchanged(*x509.CertificateRequest) {}

func TestSignedCertificate(t *testing.T) {
	a := testAuthority(t)
	usages := []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth}
	for name, test := range map[string]struct {
		seconds     *int32
		from, until time.Duration
	}{
		"as long as allowed": {nil, -5 * time.Minute, 100*time.Hour - 5*time.Minute},
		"shorter":            {ptr.To[int32](3600), -5 * time.Minute, time.Hour},
		"too short":          {ptr.To[int32](1), -5 * time.Minute, 10 * time.Minute},
		"too long":           {ptr.To[int32](1 << 30), -5 * time.Minute, 100*time.Hour - 5*time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := a.sign(requestFor(t, unchanged), usages, test.seconds, now)
			if err != nil {
				t.Fatal(err)
			}
			block, _ := pem.Decode(text)
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.CheckSignatureFrom(a.certificate); err != nil {
				t.Error(err)
			}
			if c.IsCA || c.KeyUsage != x509.KeyUsageDigitalSignature || len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth {
				t.Errorf("CA %v, usages %v %v", c.IsCA, c.KeyUsage, c.ExtKeyUsage)
			}
			if !c.NotBefore.Equal(now.Add(test.from)) || !c.NotAfter.Equal(now.Add(test.until)) {
				t.Errorf("valid from %s until %s", c.NotBefore.Sub(now), c.NotAfter.Sub(now))
			}
		})
	}
}

func TestSignNeverOutlivesTheCA(t *testing.T) {
	a := testAuthority(t)
	if _, until := a.validity(nil, a.certificate.NotAfter.Add(-time.Hour)); !until.Equal(a.certificate.NotAfter) {
		t.Errorf("valid until %s, the CA until %s", until, a.certificate.NotAfter)
	}
	if _, err := a.sign(requestFor(t, unchanged), nil, nil, a.certificate.NotAfter.Add(time.Second)); err == nil {
		t.Error("an expired CA signed")
	}
}

func TestChecks(t *testing.T) {
	client := []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth}
	serving := []certificatesv1.KeyUsage{certificatesv1.UsageServerAuth, certificatesv1.UsageKeyEncipherment, certificatesv1.UsageDigitalSignature}
	withDNS := func(r *x509.CertificateRequest) { r.DNSNames = []string{"n"} }
	for name, test := range map[string]struct {
		signer string
		change func(*x509.CertificateRequest)
		usages []certificatesv1.KeyUsage
		ok     bool
	}{
		"kubelet client":             {certificatesv1.KubeAPIServerClientKubeletSignerName, unchanged, client, true},
		"with a DNS name":            {certificatesv1.KubeAPIServerClientKubeletSignerName, withDNS, client, false},
		"with usages for serving":    {certificatesv1.KubeAPIServerClientKubeletSignerName, unchanged, serving, false},
		"another group":              {certificatesv1.KubeAPIServerClientKubeletSignerName, func(r *x509.CertificateRequest) { r.Subject.Organization = []string{"system:masters"} }, client, false},
		"another name":               {certificatesv1.KubeAPIServerClientKubeletSignerName, func(r *x509.CertificateRequest) { r.Subject.CommonName = "admin" }, client, false},
		"kubelet serving":            {certificatesv1.KubeletServingSignerName, withDNS, serving, true},
		"serving nowhere":            {certificatesv1.KubeletServingSignerName, unchanged, serving, false},
		"client":                     {certificatesv1.KubeAPIServerClientSignerName, unchanged, client, true},
		"client that wants to serve": {certificatesv1.KubeAPIServerClientSignerName, unchanged, serving, false},
		"legacy takes all":           {"kubernetes.io/legacy-unknown", withDNS, serving, true},
	} {
		t.Run(name, func(t *testing.T) {
			if err := checks()[test.signer](requestFor(t, test.change), test.usages); (err == nil) != test.ok {
				t.Errorf("got %v, want ok %v", err, test.ok)
			}
		})
	}
}

func TestExpiry(t *testing.T) {
	at := func(kind certificatesv1.RequestConditionType) certificatesv1.CertificateSigningRequestStatus {
		return certificatesv1.CertificateSigningRequestStatus{Conditions: []certificatesv1.CertificateSigningRequestCondition{{
			Type: kind, Status: corev1.ConditionTrue, LastUpdateTime: metav1.NewTime(now),
		}}}
	}
	issued := at(certificatesv1.CertificateApproved)
	issued.Certificate = []byte("x")
	for name, test := range map[string]struct {
		status certificatesv1.CertificateSigningRequestStatus
		want   time.Duration
	}{
		"pending":  {certificatesv1.CertificateSigningRequestStatus{}, 23 * time.Hour},
		"approved": {at(certificatesv1.CertificateApproved), 24 * time.Hour},
		"issued":   {issued, time.Hour},
		"denied":   {at(certificatesv1.CertificateDenied), time.Hour},
		"failed":   {at(certificatesv1.CertificateFailed), time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			csr := &request{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(now.Add(-time.Hour))}, Status: test.status}
			if until, ok := expiry(csr); !ok || until.Sub(now) != test.want {
				t.Errorf("ends in %s, %v; want %s", until.Sub(now), ok, test.want)
			}
		})
	}
}
