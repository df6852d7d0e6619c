package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/certificate"

	"github.com/coracle-k8s/coracle/cmd/node"
)

const caFile = "ca.crt"

// identity is what a node proves itself with: files in a directory.
type identity struct {
	options         Options
	ca              *x509.Certificate // nil before the first contact
	client, serving *store
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
	if id.client, err = openStore(o.dir(), "kubelet-client"); err != nil {
		return nil, err
	}
	id.serving, err = openStore(o.dir(), "kubelet-server")
	return id, err
}

// usable says why the identity cannot be used without joining, or nothing.
func (id *identity) usable(now time.Time) string {
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

// trust keeps the CA.
func (id *identity) trust(ca *x509.Certificate) error {
	id.ca = ca
	if err := cert.WriteCert(filepath.Join(id.options.dir(), caFile), encode(ca)); err != nil {
		return fmt.Errorf("keeping the cluster's CA certificate: %w", err)
	}
	return nil
}

// subject of the node's certificates.
func (id *identity) subject() pkix.Name {
	return pkix.Name{CommonName: id.options.User(), Organization: []string{node.Group}}
}

// renewing renews both certificates at some time between 70 and 90 % of their life, until ctx ends, and asks for what is
// missing at once.
func (id *identity) renewing(ctx context.Context, client kubernetes.Interface) error {
	var life *time.Duration
	if id.options.CertificateLife > 0 {
		life = &id.options.CertificateLife
	}
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
	} {
		c.RequestedCertificateLifetime, c.Ctx = life, &ctx
		c.ClientsetFn = func(*tls.Certificate) (kubernetes.Interface, error) { return client, nil }
		manager, err := certificate.NewManager(&c)
		if err != nil {
			return fmt.Errorf("renewing certificates: %w", err)
		}
		manager.Start()
	}
	return nil
}

// store is a pair of certificate and key in a file, and what is used of it now.
type store struct {
	certificate.FileStore
	current atomic.Pointer[tls.Certificate]
	// changed is called after each renewal, once set.
	changed func()
}

func openStore(dir, name string) (*store, error) {
	files, err := certificate.NewFileStore(name, dir, dir, "", "")
	if err != nil {
		return nil, fmt.Errorf("opening certificate %s: %w", name, err)
	}
	s := &store{FileStore: files}
	pair, err := files.Current()
	var none *certificate.NoCertKeyError
	switch {
	case err == nil:
		s.current.Store(pair)
	case !errors.As(err, &none):
		return nil, fmt.Errorf("reading certificate %s: %w", name, err)
	}
	return s, nil
}

// Update implements certificate.Store.
func (s *store) Update(cert, key []byte) (*tls.Certificate, error) {
	pair, err := s.FileStore.Update(cert, key)
	if err != nil {
		return nil, err
	}
	s.current.Store(pair)
	if s.changed != nil {
		s.changed()
	}
	return pair, nil
}

// get is for TLS servers.
func (s *store) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if pair := s.current.Load(); pair != nil {
		return pair, nil
	}
	return nil, errors.New("the kubelet has no certificate yet: kubectl get csr shows whether it was approved")
}
