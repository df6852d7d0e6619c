package pki

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/client-go/util/keyutil"
)

const leafLife = 365 * 24 * time.Hour

// Pair is a certificate and its key, in files and loaded, in PEM.
type Pair struct {
	CertFile, KeyFile string
	CertPEM, KeyPEM   []byte
}

// leaf is a certificate that the cluster's authorities issue to its own parts.
type leaf struct {
	file   string // without extension
	user   string // common name
	groups []string
	hosts  []string // names and addresses, duplicates allowed
	usage  x509.ExtKeyUsage
}

// ensureLeaf loads a leaf's pair of files, or issues it anew with a new key, and returns when it will have to be renewed. Of
// the two files the certificate is written last; what an interrupted start leaves does not match and is issued again.
func ensureLeaf(o Options, ca *Authority, l leaf) (Pair, time.Time, error) {
	p := Pair{CertFile: filepath.Join(o.Dir, l.file+".crt"), KeyFile: filepath.Join(o.Dir, l.file+".key")}
	usable, err := p.load(ca, l, o.Now)
	if err != nil {
		return p, time.Time{}, err
	}
	if usable == nil {
		if usable, err = p.issue(ca, l, o.Now); err != nil {
			return p, time.Time{}, err
		}
	}
	return p, dueOf(usable), nil
}

func (p *Pair) issue(ca *Authority, l leaf, now time.Time) (*x509.Certificate, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	if p.CertPEM, err = ca.Sign(l.template(now), key.Public(), now); err != nil {
		return nil, err
	}
	if p.KeyPEM, err = keyutil.MarshalPrivateKeyToPEM(key); err != nil {
		return nil, fmt.Errorf("encoding key %s: %w", p.KeyFile, err)
	}
	if err := writeAtomic(p.KeyFile, p.KeyPEM, 0o600, false); err != nil {
		return nil, err
	}
	if err := writeAtomic(p.CertFile, p.CertPEM, 0o644, false); err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(p.CertPEM, p.KeyPEM)
	return pair.Leaf, err
}

// load reads the pair and returns its certificate if it can still be used, nil if not.
func (p *Pair) load(ca *Authority, l leaf, now time.Time) (*x509.Certificate, error) {
	var errs [2]error
	p.CertPEM, errs[0] = read(p.CertFile, false)
	p.KeyPEM, errs[1] = read(p.KeyFile, true)
	for _, err := range errs {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
	}
	pair, err := tls.X509KeyPair(p.CertPEM, p.KeyPEM)
	if err != nil || renewal(pair.Leaf, ca.Cert, l, now) != "" {
		return nil, nil
	}
	return pair.Leaf, nil
}

// dueOf is when a certificate is near its end: a third of its life is left.
func dueOf(cert *x509.Certificate) time.Time {
	return cert.NotAfter.Add(-cert.NotAfter.Sub(cert.NotBefore) / 3)
}

// renewal says why a certificate has to be issued again, or nothing.
func renewal(cert, ca *x509.Certificate, l leaf, now time.Time) string {
	want := l.template(now)
	switch {
	case cert.CheckSignatureFrom(ca) != nil:
		return "it is not signed by the authority"
	case cert.Subject.CommonName != l.user || !slices.Equal(sorted(cert.Subject.Organization), sorted(l.groups)):
		return "its subject changes"
	case !slices.Contains(cert.ExtKeyUsage, l.usage):
		return "its usage changes"
	case !slices.Equal(sorted(cert.DNSNames), sorted(want.DNSNames)) || !slices.Equal(addresses(cert), addresses(want)):
		return "its names change"
	case !now.Before(dueOf(cert)):
		return "it is near its end"
	case now.Before(cert.NotBefore):
		return "its validity has not begun"
	}
	return ""
}

func (l leaf) template(now time.Time) *x509.Certificate {
	t := &x509.Certificate{
		Subject:               pkix.Name{CommonName: l.user, Organization: l.groups},
		NotAfter:              now.Add(leafLife),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:           []x509.ExtKeyUsage{l.usage},
		BasicConstraintsValid: true,
	}
	for _, host := range l.hosts {
		ip := net.ParseIP(host)
		switch {
		case host == "", ip != nil && ip.IsUnspecified():
		case ip == nil && !slices.Contains(t.DNSNames, host):
			t.DNSNames = append(t.DNSNames, host)
		case ip != nil && !slices.ContainsFunc(t.IPAddresses, ip.Equal):
			t.IPAddresses = append(t.IPAddresses, ip)
		}
	}
	return t
}

func addresses(cert *x509.Certificate) []string {
	list := make([]string, 0, len(cert.IPAddresses))
	for _, ip := range cert.IPAddresses {
		list = append(list, ip.String())
	}
	slices.Sort(list)
	return list
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }
