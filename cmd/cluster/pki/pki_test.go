package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/coracle-k8s/coracle/await"
)

func options(t *testing.T) Options {
	return Options{
		Dir: filepath.Join(t.TempDir(), "pki"), ClusterDomain: "cluster.local", ServiceIP: net.IPv4(10, 96, 0, 1),
		Hosts: []string{"box", "192.0.2.7", "box", "0.0.0.0"}, NodeName: "box", NodeHosts: []string{"192.0.2.7"},
	}
}

func ensure(t *testing.T, o Options) *PKI {
	t.Helper()
	p, err := Ensure(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func parse(t *testing.T, certPEM []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(certPEM)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestEnsureMakesAWorkingSet(t *testing.T) {
	p := ensure(t, options(t))
	roots := x509.NewCertPool()
	roots.AddCert(p.CA.Cert)
	for host, pair := range map[string]Pair{
		"kubernetes.default.svc.cluster.local": p.Serving, "10.96.0.1": p.Serving, "192.0.2.7": p.Serving, "localhost": p.Serving,
		"::1": p.Serving, "box": p.NodeServing,
	} {
		if _, err := parse(t, pair.CertPEM).Verify(x509.VerifyOptions{DNSName: host, Roots: roots}); err != nil {
			t.Errorf("serving as %s: %v", host, err)
		}
	}
	client := x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for user, pair := range map[string]Pair{"kubernetes-admin": p.Admin, "system:node:box": p.NodeClient, "kube-apiserver-kubelet-client": p.KubeletClient} {
		cert := parse(t, pair.CertPEM)
		if _, err := cert.Verify(client); err != nil || cert.Subject.CommonName != user {
			t.Errorf("client certificate of %s is %s's: %v", user, cert.Subject.CommonName, err)
		}
	}
	if _, err := parse(t, p.FrontProxyClient.CertPEM).Verify(client); err == nil {
		t.Error("the front proxy's certificate passes for a user's")
	}
	if len(p.EncryptionKey) != 32 || len(p.ServiceAccountPublicKeys) != 1 {
		t.Errorf("encryption key of %d bytes, %d public keys", len(p.EncryptionKey), len(p.ServiceAccountPublicKeys))
	}
}

func TestKeysArePrivate(t *testing.T) {
	o := options(t)
	p := ensure(t, o)
	if err := os.Chmod(p.CA.KeyFile, 0o644); err != nil {
		t.Fatal(err)
	}
	ensure(t, o)
	entries, err := os.ReadDir(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, _ := e.Info()
		if !strings.HasSuffix(e.Name(), ".crt") && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", e.Name(), info.Mode().Perm())
		}
	}
}

func TestEnsureIsIdempotentAndRenews(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		change  func(o *Options)
		renewed bool
	}{
		"nothing changed":      {func(o *Options) {}, false},
		"order of names":       {func(o *Options) { o.Hosts = []string{"192.0.2.7", "box"} }, false},
		"a new name":           {func(o *Options) { o.Hosts = append(o.Hosts, "api.example") }, true},
		"another service CIDR": {func(o *Options) { o.ServiceIP = net.IPv4(10, 97, 0, 1) }, true},
		"half of its life":     {func(o *Options) { o.Now = now.Add(leafLife / 2) }, false},
		"near its end":         {func(o *Options) { o.Now = now.Add(leafLife * 3 / 4) }, true},
		"after its end":        {func(o *Options) { o.Now = now.Add(leafLife * 2) }, true},
		"a clock set back":     {func(o *Options) { o.Now = now.Add(-time.Hour) }, true},
		"a damaged certificate": {func(o *Options) {
			os.WriteFile(filepath.Join(o.Dir, "apiserver.crt"), nil, 0o644)
		}, true},
		"another key": {func(o *Options) {
			os.Rename(filepath.Join(o.Dir, "admin.key"), filepath.Join(o.Dir, "apiserver.key"))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			o.Now = now
			first := ensure(t, o)
			test.change(&o)
			second := ensure(t, o)
			if renewed := !bytes.Equal(first.Serving.CertPEM, second.Serving.CertPEM); renewed != test.renewed {
				t.Errorf("renewed: %v, want %v", renewed, test.renewed)
			}
			if !bytes.Equal(first.CA.CertPEM, second.CA.CertPEM) || !bytes.Equal(first.EncryptionKey, second.EncryptionKey) {
				t.Error("the authority or the encryption key was replaced")
			}
		})
	}
}

func TestSharedFiles(t *testing.T) {
	first := ensure(t, options(t))
	o := options(t)
	o.Files = Files{
		CACert: first.CA.CertFile, CAKey: first.CA.KeyFile, FrontProxyCACert: first.FrontProxyCA.CertFile, FrontProxyCAKey: first.FrontProxyCA.KeyFile,
		ServiceAccountKey:        filepath.Join(filepath.Dir(first.CA.KeyFile), "sa.key"),
		ServiceAccountPublicKeys: []string{filepath.Join(filepath.Dir(first.CA.KeyFile), "sa.key"), first.CA.KeyFile},
		EncryptionKey:            filepath.Join(filepath.Dir(first.CA.KeyFile), "encryption.key"),
	}
	second := ensure(t, o)
	if !second.CA.Cert.Equal(first.CA.Cert) || !bytes.Equal(first.EncryptionKey, second.EncryptionKey) {
		t.Error("the second server does not use the first one's keys")
	}
	if n := len(second.ServiceAccountPublicKeys); n != 2 {
		t.Errorf("%d public keys, want its own once and the other", n)
	}
	if entries, _ := filepath.Glob(filepath.Join(o.Dir, "*ca.key")); len(entries) != 0 {
		t.Errorf("made %v beside the given files", entries)
	}
}

func TestErrorsNameTheFile(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(o *Options, p *PKI)
		want  string
	}{
		"missing file":      {func(o *Options, p *PKI) { o.Files.EncryptionKey = "/nowhere/key" }, "/nowhere/key"},
		"only one of two":   {func(o *Options, p *PKI) { o.Files.CACert = p.CA.CertFile }, "must be given together"},
		"lost key":          {func(o *Options, p *PKI) { os.Remove(p.CA.KeyFile) }, "ca.key"},
		"damaged authority": {func(o *Options, p *PKI) { os.WriteFile(p.CA.CertFile, []byte("x"), 0o644) }, "ca.crt"},
		"damaged key":       {func(o *Options, p *PKI) { os.WriteFile(filepath.Join(o.Dir, "sa.key"), []byte("x"), 0o600) }, "sa.key"},
		"short key": {func(o *Options, p *PKI) {
			os.WriteFile(filepath.Join(o.Dir, "encryption.key"), []byte("c2hvcnQ="), 0o600)
		}, "32 bytes"},
		"foreign key":       {func(o *Options, p *PKI) { os.Rename(p.FrontProxyCA.KeyFile, p.CA.KeyFile) }, "does not belong"},
		"leaf as authority": {func(o *Options, p *PKI) { o.Files.CACert, o.Files.CAKey = p.Admin.CertFile, p.Admin.KeyFile }, "authority"},
		"expired authority": {func(o *Options, p *PKI) { o.Now = time.Now().Add(authorityLife + time.Hour) }, "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			test.spoil(&o, ensure(t, o))
			_, err := Ensure(o)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line with %q", err, test.want)
			}
		})
	}
}

func TestSeveralAtOnceAgree(t *testing.T) {
	o := options(t)
	var wg sync.WaitGroup
	var results [8]*PKI
	for i := range results {
		wg.Go(func() {
			p, err := Ensure(o)
			if err != nil {
				t.Error(err)
			}
			results[i] = p
		})
	}
	await.Return(t, "all have their keys", wg.Wait)
	for _, p := range results {
		if !bytes.Equal(p.Serving.CertPEM, results[0].Serving.CertPEM) || !bytes.Equal(p.EncryptionKey, results[0].EncryptionKey) {
			t.Fatal("two of them made keys of their own")
		}
	}
}

func TestKubeconfig(t *testing.T) {
	p := ensure(t, options(t))
	path := filepath.Join(t.TempDir(), "admin.conf")
	for range 2 {
		if err := WriteKubeconfig(path, p.Kubeconfig("coracle", "https://127.0.0.1:6443", p.Admin)); err != nil {
			t.Fatal(err)
		}
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	info, _ := os.Stat(path)
	if config.Host != "https://127.0.0.1:6443" || !bytes.Equal(config.CAData, p.CA.CertPEM) || !bytes.Equal(config.KeyData, p.Admin.KeyPEM) || info.Mode().Perm() != 0o600 {
		t.Errorf("read back %s, mode %o", config.Host, info.Mode().Perm())
	}
}

func TestRenewalIsWhenEnsureRenewsFirst(t *testing.T) {
	o := options(t)
	o.Now = time.Now()
	first := ensure(t, o)
	if left := first.Renewal.Sub(o.Now); left < leafLife/2 || left > leafLife {
		t.Fatalf("to be renewed in %s of %s", left, leafLife)
	}
	o.Now = first.Renewal.Add(-time.Second)
	if same := ensure(t, o); !bytes.Equal(same.Serving.CertPEM, first.Serving.CertPEM) {
		t.Error("renewed before it is due")
	}
	o.Now = first.Renewal
	again := ensure(t, o)
	if bytes.Equal(again.Serving.CertPEM, first.Serving.CertPEM) || !again.Renewal.After(first.Renewal) {
		t.Errorf("not renewed when it is due; next on %s", again.Renewal)
	}
}
