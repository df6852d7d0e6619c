package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/certificate"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
	"github.com/coracle-k8s/coracle/cmd/cluster/pki"
	"github.com/coracle-k8s/coracle/cmd/node"
)

const caFile = "ca.crt"

// identity is what a node proves itself with: files in a directory.
type identity struct {
	options         Options
	ca              *x509.Certificate // nil before the machine has joined
	client, serving *store
	proxy           *store // of the Service proxy, as a client
}

// openIdentity reads what an earlier start has left.
func openIdentity(o Options) (*identity, error) {
	if err := os.MkdirAll(o.dir(), 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of keys: %w", err)
	}
	id := &identity{options: o}
	certs, err := cert.CertsFromFile(filepath.Join(o.dir(), caFile))
	switch {
	case err == nil:
		id.ca = certs[0]
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("reading the cluster's CA certificate: %w", err)
	}
	if id.client, err = openStore(filepath.Join(o.dir(), "kubelet-client-current.pem")); err != nil {
		return nil, err
	}
	if id.serving, err = openStore(filepath.Join(o.dir(), "kubelet-server-current.pem")); err != nil {
		return nil, err
	}
	id.proxy, err = openStore(filepath.Join(o.dir(), "proxy-client-current.pem"))
	return id, err
}

// asProxy is what the Service proxy proves itself with. A server that gives proxies no certificates lets the node see what they need.
func (id *identity) asProxy() *tls.Certificate {
	if c := id.proxy.current.Load(); c != nil && time.Now().Before(c.Leaf.NotAfter) {
		return c
	}
	return id.client.current.Load()
}

// expires is when the node's certificate as a client ends.
func (id *identity) expires() time.Time {
	if c := id.client.current.Load(); c != nil {
		return c.Leaf.NotAfter
	}
	return time.Time{}
}

// unusable says why the identity cannot be used without joining, or nothing.
func (id *identity) unusable(now time.Time) string {
	c := id.client.current.Load()
	switch {
	case id.ca == nil || c == nil:
		return "this machine has not joined yet"
	case c.Leaf.Subject.CommonName != id.options.User():
		return fmt.Sprintf("this machine has joined as %s", c.Leaf.Subject.CommonName)
	case now.After(c.Leaf.NotAfter):
		return "this node's certificate has expired on " + c.Leaf.NotAfter.Format(time.DateOnly)
	}
	return ""
}

// keep writes what joining has brought: the CA last, without which nothing else counts.
func (id *identity) keep(ca *x509.Certificate, cert, key []byte) error {
	if _, err := id.client.Update(cert, key); err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})
	if err := pki.WriteFile(filepath.Join(id.options.dir(), caFile), text, 0o644); err != nil {
		return fmt.Errorf("keeping the cluster's CA certificate: %w", err)
	}
	id.ca = ca
	return nil
}

// subject of the node's certificates.
func (id *identity) subject() pkix.Name {
	return pkix.Name{CommonName: id.options.User(), Organization: []string{node.Group}}
}

// renewing renews all certificates at some time between 70 and 90 % of their life, until ctx ends, and asks for what is
// missing at once.
func (id *identity) renewing(ctx context.Context, client kubernetes.Interface) error {
	for _, c := range []certificate.Config{
		{
			SignerName: certificatesv1.KubeAPIServerClientKubeletSignerName, GetUsages: certificate.DefaultKubeletClientGetUsages,
			CertificateStore: id.client, Template: &x509.CertificateRequest{Subject: id.subject()},
		},
		{
			SignerName: certificatesv1.KubeletServingSignerName, GetUsages: certificate.DefaultKubeletServingGetUsages,
			CertificateStore: id.serving, Template: &x509.CertificateRequest{
				Subject: id.subject(), DNSNames: []string{id.options.Name}, IPAddresses: []net.IP{net.ParseIP(id.options.IP)},
			},
		},
		{
			SignerName: bootstrap.ProxySigner, GetUsages: certificate.DefaultKubeletClientGetUsages,
			CertificateStore: id.proxy, Template: &x509.CertificateRequest{
				Subject: pkix.Name{CommonName: bootstrap.ProxyUser(id.options.Name), Organization: []string{bootstrap.ProxyGroup}},
			},
		},
	} {
		c.RequestedCertificateLifetime, c.Ctx = id.options.life(), &ctx
		c.ClientsetFn = func(*tls.Certificate) (kubernetes.Interface, error) { return client, nil }
		manager, err := certificate.NewManager(&c)
		if err != nil {
			return fmt.Errorf("renewing certificates: %w", err)
		}
		manager.Start()
	}
	return nil
}
