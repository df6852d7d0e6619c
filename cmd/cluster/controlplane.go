package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"

	"github.com/coracle-k8s/coracle/cmd/cluster/pki"
	"github.com/coracle-k8s/coracle/generated/openapi"
	"github.com/coracle-k8s/coracle/registry/server"
	"github.com/coracle-k8s/coracle/registry/storage"
	"github.com/coracle-k8s/coracle/view"
)

// open makes keys and certificates and opens the API server.
func (c *Cluster) open(ctx context.Context, listener net.Listener) (err error) {
	if err := c.ensureCertificates(); err != nil {
		return err
	}
	config, err := c.serverConfig(listener)
	if err != nil {
		return err
	}
	c.api, err = server.New(ctx, config)
	return err
}

func (c *Cluster) ensureKeys() (*pki.PKI, error) {
	o := c.options
	if err := o.checkEncryptionKey(); err != nil {
		return nil, err
	}
	files := pki.Files{
		CACert: o.CACertFile, CAKey: o.CAKeyFile, FrontProxyCACert: o.FrontProxyCACertFile, FrontProxyCAKey: o.FrontProxyCAKeyFile,
		ServiceAccountKey: o.ServiceAccountKeyFile, EncryptionKey: o.EncryptionKeyFile,
	}
	hosts := append([]string{o.AdvertiseAddress, o.NodeIP, o.NodeName}, o.TLSSANs...)
	if !net.ParseIP(o.BindAddress).IsUnspecified() {
		hosts = append(hosts, o.BindAddress)
	}
	want := pki.Options{
		Dir: o.keyDir(), Files: files, Hosts: hosts, ClusterDomain: o.ClusterDomain,
		ServiceIP: netip.MustParsePrefix(o.ServiceCIDR).Addr().Next().AsSlice(),
	}
	if !o.ControlPlaneOnly {
		want.NodeName, want.NodeHosts = o.NodeName, []string{o.NodeIP, o.NodeName}
	}
	return pki.Ensure(want)
}

func (c *Cluster) serverConfig(listener net.Listener) (server.Config, error) {
	o := c.options
	documents, err := openapi.Documents()
	if err != nil {
		return server.Config{}, fmt.Errorf("opening the OpenAPI documents: %w", err)
	}
	config := server.Config{
		Listener:    listener,
		Certificate: func() (chain, key []byte) { now := c.certificates.Load(); return now.servingChain, now.servingKey },
		ClientCA:    c.keys.CA.CertPEM,
		FrontProxy: server.FrontProxy{
			CA: c.keys.FrontProxyCA.CertPEM, Names: []string{pki.FrontProxyUser},
			CertFile: c.keys.FrontProxyClient.CertFile, KeyFile: c.keys.FrontProxyClient.KeyFile,
		},
		ServiceAccounts: server.ServiceAccounts{
			Issuer: "https://kubernetes.default.svc." + o.ClusterDomain, Signer: c.keys.ServiceAccountKey, Public: c.keys.ServiceAccountPublicKeys,
		},
		AdvertiseAddress: netip.MustParseAddr(o.AdvertiseAddress),
		ServiceCIDR:      netip.MustParsePrefix(o.ServiceCIDR),
		Kubelet:          c.kubeletTransport(),
		OpenAPI:          documents,
		Flags:            o.Flags,
		Disabled:         o.Disable,

		EncryptionConfigFile: o.EncryptionConfigFile,
		AdmissionConfigFile:  o.AdmissionConfigFile,
	}
	if o.UI {
		config.Page = view.Page()
	}
	if o.EncryptionConfigFile == "" {
		config.EncryptionKey = c.keys.EncryptionKey
	}
	if len(o.EtcdServers) > 0 {
		config.Etcd = &storage.Cluster{Endpoints: o.EtcdServers, CAFile: o.EtcdCAFile, CertFile: o.EtcdCertFile, KeyFile: o.EtcdKeyFile}
	} else {
		config.EtcdDir, config.EtcdQuota, config.Snapshots = o.etcdDir(), o.EtcdQuotaBytes(), o.snapshots()
	}
	return config, os.MkdirAll(o.DataDir, 0o700)
}

// kubeletTransport connects to kubelets as the API server does: both sides prove themselves.
func (c *Cluster) kubeletTransport() http.RoundTripper {
	trusted := x509.NewCertPool()
	trusted.AddCert(c.keys.CA.Cert)
	return &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: trusted, MinVersion: tls.VersionTLS12,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return c.certificates.Load().kubeletClient, nil
		},
	}}
}
