package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/util/cert"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
	"github.com/coracle-k8s/coracle/cmd/cluster/pki"
)

func keys(t *testing.T) *pki.PKI {
	t.Helper()
	p, err := pki.Ensure(pki.Options{Dir: filepath.Join(t.TempDir(), "pki")})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// serve shows certificates to whoever connects to the host, and returns the address.
func serve(t *testing.T, host string, key []byte, chain ...[]byte) string {
	t.Helper()
	var all []byte
	for _, c := range chain {
		all = append(all, c...)
	}
	pair, err := tls.X509KeyPair(all, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", net.JoinHostPort(host, "0"), &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_ = conn.(*tls.Conn).HandshakeContext(context.Background()) // the client says what it thinks of it
			}()
		}
	}()
	return l.Addr().String()
}

func TestDiscoverTakesOnlyTheClustersOwnServer(t *testing.T) {
	ours, theirs := keys(t), keys(t)
	const host = "127.0.0.1"
	hash := bootstrap.CAHash(ours.CA.Cert)
	right := serve(t, host, ours.Serving.KeyPEM, ours.Serving.CertPEM, ours.CA.CertPEM)
	for name, test := range map[string]struct {
		address, hash string
		want          string // in the error; "" for none
	}{
		"the server":              {right, hash, ""},
		"another cluster's token": {right, bootstrap.CAHash(theirs.CA.Cert), "a token of the same cluster"},
		"a name that the certificate is not for": {
			serve(t, "127.0.0.2", ours.Serving.KeyPEM, ours.Serving.CertPEM, ours.CA.CertPEM), hash, "--tls-san 127.0.0.2",
		},
		"a server that shows no CA": {serve(t, host, ours.Serving.KeyPEM, ours.Serving.CertPEM), hash, "a token of the same cluster"},
		"somebody who shows our CA beside a certificate of theirs": {
			serve(t, host, theirs.Serving.KeyPEM, theirs.Serving.CertPEM, ours.CA.CertPEM), hash, "cannot be verified",
		},
		"somebody who shows a client's certificate of ours": {serve(t, host, ours.Admin.KeyPEM, ours.Admin.CertPEM, ours.CA.CertPEM), hash, "is not for"},
		"the hash of a certificate that is no CA":           {right, bootstrap.CAHash(parse(t, ours.Serving.CertPEM)), "a token of the same cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			ca, err := discover(t.Context(), test.address, test.hash)
			switch {
			case test.want == "" && (err != nil || !ca.Equal(ours.CA.Cert)):
				t.Errorf("found %v, %v", ca, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v, want one about %q", err, test.want)
			case err != nil && strings.Contains(err.Error(), "\n"):
				t.Errorf("several lines: %v", err)
			}
		})
	}
}

func parse(t *testing.T, text []byte) *x509.Certificate {
	t.Helper()
	certs, err := cert.ParseCertsPEM(text)
	if err != nil {
		t.Fatal(err)
	}
	return certs[0]
}

func TestDiscoverSaysThatNobodyAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := discover(ctx, l.Addr().String(), strings.Repeat("0", 64)); !errors.Is(err, errUnreachable) || !strings.Contains(err.Error(), "--server") {
		t.Errorf("error %v", err)
	}
}
