package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"path/filepath"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	// Clocks of nodes may be behind.
	backdate = 5 * time.Minute
)

// Authority is a certificate authority with its key.
type Authority struct {
	Pair
	Cert *x509.Certificate
	Key  crypto.Signer
}

// Sign issues a certificate from a template, whose serial number and begin of validity it sets and whose end it limits to the
// authority's own. The result is PEM.
func (a *Authority) Sign(template *x509.Certificate, public crypto.PublicKey, now time.Time) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return nil, fmt.Errorf("choosing a serial number: %w", err)
	}
	t := *template
	t.SerialNumber = serial.Add(serial, big.NewInt(1))
	if t.NotBefore = now.Add(-backdate); t.NotBefore.Before(a.Cert.NotBefore) {
		t.NotBefore = a.Cert.NotBefore
	}
	if t.NotAfter.After(a.Cert.NotAfter) {
		t.NotAfter = a.Cert.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, &t, a.Cert, public, a.Key)
	if err != nil {
		return nil, fmt.Errorf("signing a certificate for %s: %w", t.Subject, err)
	}
	return encodeCertificate(der), nil
}

// ensureAuthority loads an authority. Own files (without a path) are made when missing; the key is written first, and a key
// without a certificate has signed nothing yet, so that an interrupted start is simply continued.
func ensureAuthority(o Options, file, commonName, certPath, keyPath string) (*Authority, error) {
	if (certPath == "") != (keyPath == "") {
		return nil, fmt.Errorf("certificate authority %s: certificate and key must be given together", file)
	}
	a := &Authority{Pair: Pair{CertFile: certPath, KeyFile: keyPath}}
	own := certPath == ""
	if own {
		a.CertFile, a.KeyFile = filepath.Join(o.Dir, file+".crt"), filepath.Join(o.Dir, file+".key")
	}
	if err := a.loadKey(own); err != nil {
		return nil, err
	}
	if err := a.loadCert(own, commonName, o.Now); err != nil {
		return nil, err
	}
	return a, a.check(o.Now)
}

func (a *Authority) loadKey(own bool) (err error) {
	a.KeyPEM, err = read(a.KeyFile, own)
	if own && errors.Is(err, fs.ErrNotExist) {
		if _, err := read(a.CertFile, false); err == nil {
			return fmt.Errorf("key %s of %s is missing", a.KeyFile, a.CertFile)
		}
		if a.KeyPEM, err = keyutil.MakeEllipticPrivateKeyPEM(); err == nil {
			err = writeAtomic(a.KeyFile, a.KeyPEM, 0o600, true)
		}
	}
	if err != nil {
		return err
	}
	a.Key, err = parseKey(a.KeyFile, a.KeyPEM)
	return err
}

func (a *Authority) loadCert(own bool, commonName string, now time.Time) (err error) {
	a.CertPEM, err = read(a.CertFile, false)
	if own && errors.Is(err, fs.ErrNotExist) {
		if a.CertPEM, err = selfSign(a.Key, commonName, now); err == nil {
			err = writeAtomic(a.CertFile, a.CertPEM, 0o644, true)
		}
	}
	if err != nil {
		return err
	}
	certs, err := cert.ParseCertsPEM(a.CertPEM)
	if err != nil {
		return fmt.Errorf("reading %s: %w", a.CertFile, err)
	}
	a.Cert = certs[0]
	return nil
}

func (a *Authority) check(now time.Time) error {
	switch {
	case !a.Cert.IsCA:
		return fmt.Errorf("certificate %s is not that of an authority", a.CertFile)
	case !samePublicKey(a.Cert.PublicKey, a.Key.Public()):
		return fmt.Errorf("key %s does not belong to certificate %s", a.KeyFile, a.CertFile)
	case now.After(a.Cert.NotAfter):
		return fmt.Errorf("certificate authority %s has expired on %s", a.CertFile, a.Cert.NotAfter.Format(time.DateOnly))
	}
	return nil
}

func selfSign(key crypto.Signer, commonName string, now time.Time) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(authorityLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}, &x509.Certificate{Subject: pkix.Name{CommonName: commonName}}, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate of %s: %w", commonName, err)
	}
	return encodeCertificate(der), nil
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return key, nil
}

func samePublicKey(a, b crypto.PublicKey) bool {
	comparable, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && comparable.Equal(b)
}
