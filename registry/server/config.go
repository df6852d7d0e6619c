// Package server assembles the API server: handler chain, resources, custom resources, aggregation, bootstrap objects.
package server

import (
	"crypto"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/netip"

	"k8s.io/apiserver/pkg/audit"

	"github.com/coracle-k8s/coracle/registry/storage"
)

// Config says what a server is. Nothing in it, and nothing global, is shared between servers: several may live in one process.
type Config struct {
	// Listener takes connections; the server closes it.
	Listener net.Listener
	// Certificate returns the serving certificate and its key, in PEM. It is asked again now and then: renewed ones are taken up.
	Certificate func() (certificate, key []byte)
	// ClientCA, in PEM, signs users' client certificates.
	ClientCA []byte
	// FrontProxy is how this server proves itself to aggregated API servers, and who may name users to this one.
	FrontProxy FrontProxy
	// ServiceAccounts signs tokens.
	ServiceAccounts ServiceAccounts

	// AdvertiseAddress, and the port, are where the Service kubernetes leads; the listener's port unless set.
	AdvertiseAddress netip.Addr
	AdvertisePort    int
	// ServiceCIDR is where Services get their addresses. Service kubernetes has the first one.
	ServiceCIDR netip.Prefix

	// EtcdDir is the directory of the embedded etcd; Etcd is an external one instead.
	EtcdDir string
	Etcd    *storage.Cluster
	// EtcdQuota is the size in bytes of the embedded etcd's database at which writes are refused; storage.DefaultQuota unless set.
	// Snapshots says when snapshots of it are made; nil: never.
	EtcdQuota int64
	Snapshots *storage.Schedule
	// EncryptionKey, of 32 bytes, is what Secrets are encrypted with. EncryptionConfigFile is an upstream
	// EncryptionConfiguration instead. Without either, Secrets are stored in the clear.
	EncryptionKey        []byte
	EncryptionConfigFile string

	// AdmissionConfigFile is an upstream AdmissionConfiguration: what admission plugins are told. Without it each has its defaults.
	AdmissionConfigFile string

	// Kubelet has the credentials of this server at kubelets, and whom it trusts there (exec, logs, proxy). Nil: it reaches none.
	Kubelet http.RoundTripper
	// OpenAPI holds prebuilt documents, as package generated/openapi describes. Nil: server-side apply does not work either.
	OpenAPI fs.FS

	// Flags, unless nil, are what /flagz shows: how the program was started.
	Flags func() map[string]string

	// Page, unless nil, answers /ui and all beneath it, to anybody: it holds no objects.
	Page http.Handler

	// Audit receives what happens, by Policy. Nil: nothing is recorded.
	Audit       audit.Backend
	AuditPolicy audit.PolicyRuleEvaluator

	// Disabled are parts that are left out, of those named below.
	Disabled []string

	// DetectMutations makes Server.Mutations report shared objects that somebody changed. For tests: it keeps copies.
	DetectMutations bool
}

// MetricsServer is the part that serves metrics.k8s.io.
const MetricsServer = "metrics-server"

// FrontProxy is the trust between this server and aggregated ones. The zero value trusts nobody.
type FrontProxy struct {
	// CA, in PEM, signs the certificates of proxies that may name users; Names are their common names, any if empty.
	CA    []byte
	Names []string
	// CertFile and KeyFile are this server's own certificate as such a proxy.
	CertFile, KeyFile string
}

// ServiceAccounts says how tokens of service accounts are made. Without a Signer there are none.
type ServiceAccounts struct {
	// Issuer is the URL that tokens name as their origin. Audiences are those of the API server, the issuer unless set.
	Issuer    string
	Audiences []string
	Signer    crypto.Signer
	// Public keys verify tokens, besides the signer's own.
	Public []crypto.PublicKey
}

func (c *Config) check() error {
	var errs []error
	require := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New(what))
		}
	}
	require(c.Listener != nil, "a listener is required")
	require(c.Certificate != nil, "a serving certificate is required")
	require((c.EtcdDir == "") != (c.Etcd == nil), "either a directory for etcd or an external etcd is required")
	require(len(c.EncryptionKey) == 0 || c.EncryptionConfigFile == "", "an encryption key and an encryption configuration exclude one another")
	require(len(c.EncryptionKey) == 0 || len(c.EncryptionKey) == 32, "an encryption key must have 32 bytes")
	require(c.ServiceCIDR.IsValid(), "a range of Service addresses is required")
	require(c.AdvertiseAddress.IsValid(), "an address to advertise is required")
	return errors.Join(errs...)
}

func (c *Config) port() int {
	if c.AdvertisePort != 0 {
		return c.AdvertisePort
	}
	return c.Listener.Addr().(*net.TCPAddr).Port
}
