package certificates

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
)

// signers allows what is listed, as "verb name".
func signers(allowed ...string) authorizer.Authorizer {
	return authorizer.AuthorizerFunc(func(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
		for _, s := range allowed {
			if s == a.GetVerb()+" "+a.GetName() && a.GetResource() == "signers" && a.GetAPIGroup() == "certificates.k8s.io" {
				return authorizer.DecisionAllow, "", nil
			}
		}
		return authorizer.DecisionNoOpinion, "", nil
	})
}

func attributes(csr, old *certificatesv1.CertificateSigningRequest, sub string, operation admission.Operation) admission.Attributes {
	return admission.NewAttributesRecord(csr, old, schema.GroupVersionKind{}, "", "csr",
		certificatesv1.SchemeGroupVersion.WithResource(requests), sub, operation, nil, false, &user.DefaultInfo{Name: "jane"})
}

func validate(p admission.Interface, a admission.Attributes) error {
	return p.(admission.ValidationInterface).Validate(context.Background(), a, nil)
}

func TestApprovalAndSigningNeedTheVerbOnTheSigner(t *testing.T) {
	old := &certificatesv1.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{SignerName: "example.com/a"}}
	other := old.DeepCopy()
	other.Spec.SignerName = "mine.com/b" // one may not change it to what one is allowed
	other.Status.Certificate = []byte("x")
	failed := old.DeepCopy()
	failed.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateFailed, Status: corev1.ConditionTrue}}
	for name, test := range map[string]struct {
		plugin func(authorizer.UnconditionalAuthorizer) admission.Interface
		new    *certificatesv1.CertificateSigningRequest
		sub    string
		may    string
		ok     bool
	}{
		"approve":                  {Approval, old, "approval", "approve example.com/a", true},
		"approve for the domain":   {Approval, old, "approval", "approve example.com/*", true},
		"approve as a signer":      {Approval, old, "approval", "sign example.com/a", false},
		"approve what was another": {Approval, other, "approval", "approve mine.com/b", false},
		"sign":                     {Signing, other, "status", "sign example.com/a", true},
		"sign without":             {Signing, other, "status", "sign mine.com/b", false},
		"fail without":             {Signing, failed, "status", "", false},
		"change nothing":           {Signing, old, "status", "", true},
	} {
		err := validate(test.plugin(signers(test.may)), attributes(test.new, old, test.sub, admission.Update))
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNobodyBecomesAMaster(t *testing.T) {
	request := func(signer string, groups ...string) *certificatesv1.CertificateSigningRequest {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "u", Organization: groups}}, key)
		if err != nil {
			t.Fatal(err)
		}
		return &certificatesv1.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{
			SignerName: signer, Request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})}}
	}
	broken := &certificatesv1.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{SignerName: certificatesv1.KubeAPIServerClientSignerName}}
	for name, test := range map[string]struct {
		csr *certificatesv1.CertificateSigningRequest
		ok  bool
	}{
		"a user":         {request(certificatesv1.KubeAPIServerClientSignerName, "team"), true},
		"a master":       {request(certificatesv1.KubeAPIServerClientSignerName, "team", "system:masters"), false},
		"another signer": {request("example.com/a", "system:masters"), true},
		"no request":     {broken, false},
	} {
		if err := validate(SubjectRestriction(), attributes(test.csr, nil, "", admission.Create)); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, data []byte) {
		if request, err := Parse(data); err == nil && request == nil {
			t.Error("neither a request nor an error")
		}
	})
}
