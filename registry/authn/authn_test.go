package authn

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	a := &authority{}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.cert, a.key, a.pem = sign(t, template, nil)
	return a
}

func sign(t *testing.T, template *x509.Certificate, by *authority) (*x509.Certificate, *ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func (a *authority) client(t *testing.T, name string, groups ...string) *x509.Certificate {
	cert, _, _ := sign(t, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name, Organization: groups},
		NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, a)
	return cert
}

func secrets(t *testing.T, list ...*corev1.Secret) listers.SecretLister {
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	for _, s := range list {
		if err := indexer.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	return listers.NewSecretLister(indexer)
}

func bootstrapSecret(change func(*corev1.Secret)) *corev1.Secret {
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "bootstrap-token-abcdef"}, Type: "bootstrap.kubernetes.io/token",
		Data: map[string][]byte{"token-id": []byte("abcdef"), "token-secret": []byte("0123456789abcdef"), "usage-bootstrap-authentication": []byte("true"),
			"auth-extra-groups": []byte("system:bootstrappers:workers")},
	}
	if change != nil {
		change(s)
	}
	return s
}

func TestWhoIsIt(t *testing.T) {
	users, proxies := newAuthority(t), newAuthority(t)
	headers, err := RequestHeader(proxies.pem, "front-proxy-client")
	if err != nil {
		t.Fatal(err)
	}
	inside := authenticator.RequestFunc(func(r *http.Request) (*authenticator.Response, bool, error) {
		if r.Context().Value(insideKey{}) == nil {
			return nil, false, nil
		}
		return &authenticator.Response{User: &user.DefaultInfo{Name: "inside"}}, true, nil
	})
	accounts := authenticator.TokenFunc(func(_ context.Context, token string) (*authenticator.Response, bool, error) {
		return &authenticator.Response{User: &user.DefaultInfo{Name: "account"}}, token == "account", nil
	})
	chain, err := New(Config{InProcess: inside, RequestHeader: headers, ClientCA: users.pem, ServiceAccounts: accounts,
		Secrets: secrets(t, bootstrapSecret(nil)), Audiences: authenticator.Audiences{"api"}})
	if err != nil {
		t.Fatal(err)
	}
	remote := http.Header{"X-Remote-User": {"jane"}, "X-Remote-Group": {"team"}}
	for name, test := range map[string]struct {
		cert   *x509.Certificate
		header http.Header
		path   string
		inside bool
		want   string // none: unknown
		groups []string
	}{
		"a certificate":            {cert: users.client(t, "joe", "dev"), path: "/api", want: "joe", groups: []string{"dev", "system:authenticated"}},
		"a foreign certificate":    {cert: newAuthority(t).client(t, "joe"), path: "/api"},
		"a proxy's own":            {cert: proxies.client(t, "front-proxy-client"), path: "/api"},
		"a proxy":                  {cert: proxies.client(t, "front-proxy-client"), header: remote, path: "/api", want: "jane", groups: []string{"team", "system:authenticated"}},
		"another proxy":            {cert: proxies.client(t, "other"), header: remote, path: "/api"},
		"headers of a user":        {cert: users.client(t, "joe"), header: remote, path: "/api", want: "joe", groups: []string{"system:authenticated"}},
		"headers alone":            {header: remote, path: "/api"},
		"an account":               {header: http.Header{"Authorization": {"Bearer account"}}, path: "/api", want: "account", groups: []string{"system:authenticated"}},
		"a joining node":           {header: http.Header{"Authorization": {"Bearer abcdef.0123456789abcdef"}}, path: "/api", want: "system:bootstrap:abcdef", groups: []string{"system:bootstrappers", "system:bootstrappers:workers", "system:authenticated"}},
		"a wrong token":            {header: http.Header{"Authorization": {"Bearer abcdef.0123456789abcdee"}}, path: "/api"},
		"a wrong token for health": {header: http.Header{"Authorization": {"Bearer x"}}, path: "/readyz"},
		"somebody inside":          {inside: true, header: http.Header{"Authorization": {"Bearer account"}}, path: "/api", want: "inside", groups: []string{"system:authenticated"}},
		"nobody, for health":       {path: "/readyz", want: "system:anonymous", groups: []string{"system:unauthenticated"}},
		"nobody, for the version":  {path: "/version", want: "system:anonymous", groups: []string{"system:unauthenticated"}},
		"nobody, for details":      {path: "/readyz/etcd"},
		"nobody, for metrics":      {path: "/metrics"},
		"nobody, for the API":      {path: "/api/v1/namespaces"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", test.path, nil)
			if test.header != nil {
				r.Header = test.header.Clone()
			}
			if test.cert != nil {
				r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{test.cert}}
			}
			if test.inside {
				r = r.WithContext(context.WithValue(r.Context(), insideKey{}, true))
			}
			got, ok, err := chain.AuthenticateRequest(r)
			if ok != (test.want != "") {
				t.Fatalf("known: %v, error %v", ok, err)
			}
			if ok && (got.User.GetName() != test.want || !slices.Equal(got.User.GetGroups(), test.groups)) {
				t.Errorf("user %s of %v", got.User.GetName(), got.User.GetGroups())
			}
		})
	}
}

type insideKey struct{}

func TestBootstrapTokens(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		change func(*corev1.Secret)
		ok     bool
	}{
		"a good one":       {func(*corev1.Secret) {}, true},
		"not yet expired":  {func(s *corev1.Secret) { s.Data["expiration"] = []byte(now.Add(time.Minute).Format(time.RFC3339)) }, true},
		"expired":          {func(s *corev1.Secret) { s.Data["expiration"] = []byte(now.Add(-time.Minute).Format(time.RFC3339)) }, false},
		"of unclear end":   {func(s *corev1.Secret) { s.Data["expiration"] = []byte("soon") }, false},
		"not for this":     {func(s *corev1.Secret) { delete(s.Data, "usage-bootstrap-authentication") }, false},
		"another type":     {func(s *corev1.Secret) { s.Type = corev1.SecretTypeOpaque }, false},
		"another id":       {func(s *corev1.Secret) { s.Data["token-id"] = []byte("fedcba") }, false},
		"another secret":   {func(s *corev1.Secret) { s.Data["token-secret"] = []byte("fedcba9876543210") }, false},
		"being deleted":    {func(s *corev1.Secret) { s.DeletionTimestamp = &metav1.Time{Time: now} }, false},
		"with a bad group": {func(s *corev1.Secret) { s.Data["auth-extra-groups"] = []byte("system:masters") }, false},
		"elsewhere":        {func(s *corev1.Secret) { s.Namespace = "default" }, false},
	} {
		tokens := newBootstrapTokens(secrets(t, bootstrapSecret(test.change)))
		if _, ok, err := tokens.AuthenticateToken(context.Background(), "abcdef.0123456789abcdef"); ok != test.ok || err != nil {
			t.Errorf("%s: accepted %v, error %v", name, ok, err)
		}
	}
}

func FuzzBootstrapToken(f *testing.F) {
	f.Add("abcdef.0123456789abcdef")
	f.Add(".")
	f.Add(strings.Repeat("a", 100))
	f.Fuzz(func(t *testing.T, token string) {
		tokens := newBootstrapTokens(secrets(t, bootstrapSecret(nil)))
		if _, ok, _ := tokens.AuthenticateToken(context.Background(), token); ok != (token == "abcdef.0123456789abcdef") {
			t.Errorf("%q: accepted %v", token, ok)
		}
	})
}
