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
	"path/filepath"

	"github.com/coracle-k8s/coracle/cmd/cluster/pki"
	"github.com/coracle-k8s/coracle/generated/openapi"
	"github.com/coracle-k8s/coracle/registry/server"
	"github.com/coracle-k8s/coracle/registry/storage"
)

// open makes keys and certificates and opens the API server.
func (c *Cluster) open(ctx context.Context, listener net.Listener) (err error) {
	if c.keys, err = c.ensureKeys(); err != nil {
		return err
	}
	kubeconfig := c.keys.Kubeconfig("coracle", c.url, c.keys.Admin)
	if err := pki.WriteKubeconfig(c.options.Admin(), kubeconfig); err != nil {
		return fmt.Errorf("writing %s: %w", c.options.Admin(), err)
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
	files := pki.Files{
		CACert: o.CACertFile, CAKey: o.CAKeyFile, FrontProxyCACert: o.FrontProxyCACertFile, FrontProxyCAKey: o.FrontProxyCAKeyFile,
		ServiceAccountKey: o.ServiceAccountKeyFile, EncryptionKey: o.EncryptionKeyFile,
	}
	hosts := append([]string{o.AdvertiseAddress, o.NodeIP, o.NodeName}, o.TLSSANs...)
	if !net.ParseIP(o.BindAddress).IsUnspecified() {
		hosts = append(hosts, o.BindAddress)
	}
	want := pki.Options{
		Dir: filepath.Join(o.DataDir, "pki"), Files: files, Hosts: hosts, ClusterDomain: o.ClusterDomain,
		ServiceIP: netip.MustParsePrefix(o.ServiceCIDR).Addr().Next().AsSlice(),
	}
	if !o.ControlPlaneOnly {
		want.NodeName, want.NodeHosts = o.NodeName, []string{o.NodeIP, o.NodeName}
	}
	return pki.Ensure(want)
}

func (c *Cluster) serverConfig(listener net.Listener) (server.Config, error) {
	o := c.options
	kubelet, err := c.kubeletTransport()
	if err != nil {
		return server.Config{}, err
	}
	documents, err := openapi.Documents()
	if err != nil {
		return server.Config{}, fmt.Errorf("opening the OpenAPI documents: %w", err)
	}
	config := server.Config{
		Listener:    listener,
		Certificate: func() (certificate, key []byte) { return c.keys.Serving.CertPEM, c.keys.Serving.KeyPEM },
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
		Kubelet:          kubelet,
		OpenAPI:          documents,

		EncryptionConfigFile: o.EncryptionConfigFile,
	}
	if o.EncryptionConfigFile == "" {
		config.EncryptionKey = c.keys.EncryptionKey
	}
	if len(o.EtcdServers) > 0 {
		config.Etcd = &storage.Cluster{Endpoints: o.EtcdServers, CAFile: o.EtcdCAFile, CertFile: o.EtcdCertFile, KeyFile: o.EtcdKeyFile}
	} else {
		config.EtcdDir = filepath.Join(o.DataDir, "etcd")
	}
	return config, os.MkdirAll(o.DataDir, 0o700)
}

// kubeletTransport connects to kubelets as the API server does: both sides prove themselves.
func (c *Cluster) kubeletTransport() (http.RoundTripper, error) {
	pair, err := tls.X509KeyPair(c.keys.KubeletClient.CertPEM, c.keys.KubeletClient.KeyPEM)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate for kubelets: %w", err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(c.keys.CA.Cert)
	return &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: trusted, MinVersion: tls.VersionTLS12}}, nil
}
