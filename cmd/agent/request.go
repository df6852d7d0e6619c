package agent

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/certificate"
	"k8s.io/client-go/util/certificate/csr"
	"k8s.io/client-go/util/keyutil"

	"github.com/coracle-k8s/coracle/cmd/cluster/pki"
)

const (
	// approval is how long the approval of a joining machine may take.
	approval = time.Minute
	// joiningKey keeps in the directory of keys the key that a certificate is asked for: a machine that was cut off after the server
	// had counted its token comes back with the same request.
	joiningKey = "joining.key"
)

// request asks for the client certificate and waits for it. Certificate and key are PEM.
func (id *identity) request(ctx context.Context, client kubernetes.Interface) (issued, key []byte, err error) {
	private, key, err := id.requestKey()
	if err != nil {
		return nil, nil, err
	}
	asked, err := cert.MakeCSRFromTemplate(private, &x509.CertificateRequest{Subject: id.subject()})
	if err != nil {
		return nil, nil, fmt.Errorf("making the request for a certificate: %w", err)
	}
	wanted, err := requestName(private, id.options.User())
	if err != nil {
		return nil, nil, err
	}
	name, uid, err := csr.RequestCertificateWithContext(ctx, client, asked, wanted, certificatesv1.KubeAPIServerClientKubeletSignerName, id.options.life(),
		certificate.DefaultKubeletClientGetUsages(private), private)
	if err != nil {
		if errors.As(err, new(apierrors.APIStatus)) {
			id.forgetRequest()
		}
		return nil, nil, fmt.Errorf("asking for a certificate: %w", err)
	}
	waiting, cancel := context.WithTimeout(ctx, approval)
	defer cancel()
	if issued, err = csr.WaitForCertificate(waiting, client, name, uid); err == nil {
		return issued, key, nil
	}
	if denied := denial(ctx, client, name); denied != nil {
		id.forgetRequest()
		return nil, nil, denied
	}
	return nil, nil, fmt.Errorf("waiting for certificate %s, see kubectl describe csr %s: %w", name, name, err)
}

// requestKey is the key of a request that has not been answered yet, or a new one.
func (id *identity) requestKey() (private crypto.Signer, key []byte, err error) {
	path := filepath.Join(id.options.dir(), joiningKey)
	if key, err = os.ReadFile(path); err == nil {
		if parsed, err := keyutil.ParsePrivateKeyPEM(key); err == nil {
			if private, ok := parsed.(crypto.Signer); ok {
				return private, key, nil
			}
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("reading the key of an earlier request: %w", err)
	}
	made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("making a key: %w", err)
	}
	if key, err = keyutil.MarshalPrivateKeyToPEM(made); err != nil {
		return nil, nil, fmt.Errorf("encoding the key: %w", err)
	}
	return made, key, pki.WriteFile(path, key, 0o600)
}

// forgetRequest makes the next request another one.
func (id *identity) forgetRequest() {
	_ = os.Remove(filepath.Join(id.options.dir(), joiningKey)) // if it stays, the next request is answered as this one
}

// requestName is the same for the same key and user.
func requestName(private crypto.Signer, user string) (string, error) {
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return "", fmt.Errorf("encoding the key: %w", err)
	}
	sum := sha256.Sum256(append(public, user...))
	return "node-csr-" + hex.EncodeToString(sum[:16]), nil
}

// denial is the reason, in the server's words, why a request was denied, or nil.
func denial(ctx context.Context, client kubernetes.Interface, name string) error {
	ctx, cancel := context.WithTimeout(ctx, oneTry)
	defer cancel()
	asked, err := client.CertificatesV1().CertificateSigningRequests().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	for _, c := range asked.Status.Conditions {
		if c.Type == certificatesv1.CertificateDenied {
			return errors.New(strings.ReplaceAll(c.Message, "\n", " "))
		}
	}
	return nil
}

// explained says of refused tokens what to do.
func explained(err error) error {
	switch {
	case apierrors.IsUnauthorized(err):
		return errors.New("the server does not know the token: it has expired, was used up or deleted, or is another cluster's; make one with coracle token create")
	case apierrors.IsForbidden(err):
		return fmt.Errorf("the token is not one for joining: make one with coracle token create (%w)", err)
	}
	return err
}
