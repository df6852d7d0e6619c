package agent

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/certificate"
	"k8s.io/client-go/util/certificate/csr"
	"k8s.io/client-go/util/keyutil"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
	"github.com/coracle-k8s/coracle/apis/core"
)

// approval is how long the approval of a joining machine may take.
const approval = time.Minute

// Join makes this machine a member of the cluster, unless it is one: it gets a certificate by the token. A token is only needed, and
// only looked at, where there is no certificate that can be used: it may have expired since. Errors are one line that says what to do.
func Join(ctx context.Context, o Options) error {
	id, err := openIdentity(o)
	if err != nil {
		return err
	}
	why := id.unusable(time.Now())
	if o.Token == "" {
		if why != "" {
			return fmt.Errorf("%s: give a --token, which coracle token create prints on the server", why)
		}
		return nil
	}
	token, err := bootstrap.ParseToken(o.Token)
	if err != nil {
		return fmt.Errorf("--token: %w", err)
	}
	if id.ca != nil && bootstrap.CAHash(id.ca) != token.CAHash {
		return fmt.Errorf("the state in %s belongs to another cluster than the token: delete it (coracle reset --data-dir %s)", o.DataDir, o.DataDir)
	}
	if why == "" {
		return nil
	}
	if err := id.join(ctx, token); err != nil {
		return fmt.Errorf("joining the cluster: %w", err)
	}
	klog.FromContext(ctx).Info("Joined the cluster", "server", o.Server, "node", o.Name)
	return nil
}

func (id *identity) join(ctx context.Context, token bootstrap.Token) error {
	o := id.options
	ca, err := discover(ctx, o.address(), token.CAHash)
	if err != nil {
		return err
	}
	way := newConnection(o.Server, ca, func() *tls.Certificate { return nil })
	defer way.close()
	client, err := way.client(token.Bearer())
	if err != nil {
		return err
	}
	if err := o.checkName(ctx, client); err != nil {
		return err
	}
	cert, key, err := id.request(ctx, client)
	if err != nil {
		return err
	}
	return id.keep(ca, cert, key)
}

// checkName sees whether the token is taken, and the node's name is not.
func (o *Options) checkName(ctx context.Context, client kubernetes.Interface) error {
	found, err := client.CoreV1().Nodes().Get(ctx, o.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case apierrors.IsUnauthorized(err):
		return errors.New("the server does not know the token: it has expired, was deleted, or is another cluster's; make one with coracle token create")
	case apierrors.IsForbidden(err):
		return fmt.Errorf("the token is not one for joining: make one with coracle token create (%w)", err)
	case err != nil:
		return err
	case core.NodeReady(found):
		return fmt.Errorf("a node %s runs in the cluster already: choose another --node-name, or stop that node and kubectl delete node %s", o.Name, o.Name)
	}
	return nil
}

// request asks for the client certificate and waits for it. Certificate and key are PEM.
func (id *identity) request(ctx context.Context, client kubernetes.Interface) (issued, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("making a key: %w", err)
	}
	if key, err = keyutil.MarshalPrivateKeyToPEM(private); err != nil {
		return nil, nil, fmt.Errorf("encoding the key: %w", err)
	}
	asked, err := cert.MakeCSRFromTemplate(private, &x509.CertificateRequest{Subject: id.subject()})
	if err != nil {
		return nil, nil, fmt.Errorf("making the request for a certificate: %w", err)
	}
	name, uid, err := csr.RequestCertificateWithContext(ctx, client, asked, "", certificatesv1.KubeAPIServerClientKubeletSignerName, id.options.life(),
		certificate.DefaultKubeletClientGetUsages(private), private)
	if err != nil {
		return nil, nil, fmt.Errorf("asking for a certificate: %w", err)
	}
	waiting, cancel := context.WithTimeout(ctx, approval)
	defer cancel()
	if issued, err = csr.WaitForCertificate(waiting, client, name, uid); err != nil {
		return nil, nil, fmt.Errorf("waiting for certificate %s, see kubectl describe csr %s: %w", name, name, err)
	}
	return issued, key, nil
}
