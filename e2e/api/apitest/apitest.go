// Package apitest runs API servers for tests: whole ones, in this process or another, on files of their own.
package apitest

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/coracle-k8s/coracle/cmd/cluster/pki"
	"github.com/coracle-k8s/coracle/generated/openapi"
	"github.com/coracle-k8s/coracle/registry/server"
)

// Options say what a server under test is.
type Options struct {
	// Dir holds its files: keys, etcd, admin.conf.
	Dir string
	// Address to listen on; a free port of 127.0.0.1 unless set.
	Address string
	// Change adjusts the configuration further; may be nil.
	Change func(*server.Config)
}

// Running is a server with what is needed to talk to it.
type Running struct {
	Server *server.Server
	// URL of the server, CA and administrator's credentials in Kubeconfig, which is also a file.
	URL            string
	Kubeconfig     *clientcmdapi.Config
	KubeconfigFile string
	// PKI can sign further users.
	PKI *pki.PKI
}

// New makes a server; the caller runs it.
func New(ctx context.Context, o Options) (*Running, error) {
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	keys, err := pki.Ensure(pki.Options{Dir: filepath.Join(o.Dir, "pki"), ServiceIP: net.IPv4(10, 96, 0, 1), ClusterDomain: "cluster.local"})
	if err != nil {
		return nil, fmt.Errorf("making keys: %w", err)
	}
	listener, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	c := Config(o.Dir, keys, listener)
	if c.OpenAPI, err = openapi.Documents(); err != nil {
		return nil, fmt.Errorf("finding OpenAPI documents: %w", err)
	}
	if o.Change != nil {
		o.Change(&c)
	}
	s, err := server.New(ctx, c)
	if err != nil {
		_ = listener.Close()
		return nil, err
	}
	r := &Running{Server: s, PKI: keys, URL: "https://" + listener.Addr().String(), KubeconfigFile: filepath.Join(o.Dir, "admin.conf")}
	r.Kubeconfig = keys.Kubeconfig("coracle", r.URL, keys.Admin)
	return r, pki.WriteKubeconfig(r.KubeconfigFile, r.Kubeconfig)
}

// Config is that of a server on keys and a directory.
func Config(dir string, keys *pki.PKI, listener net.Listener) server.Config {
	return server.Config{
		Listener:    listener,
		Certificate: func() ([]byte, []byte) { return keys.Serving.CertPEM, keys.Serving.KeyPEM },
		ClientCA:    keys.CA.CertPEM,
		FrontProxy: server.FrontProxy{
			CA: keys.FrontProxyCA.CertPEM, Names: []string{pki.FrontProxyUser},
			CertFile: keys.FrontProxyClient.CertFile, KeyFile: keys.FrontProxyClient.KeyFile,
		},
		ServiceAccounts: server.ServiceAccounts{
			Issuer: "https://kubernetes.default.svc.cluster.local", Signer: keys.ServiceAccountKey, Public: keys.ServiceAccountPublicKeys,
		},
		AdvertiseAddress: netip.MustParseAddr("192.0.2.1"), // loopback addresses may not be endpoints
		ServiceCIDR:      netip.MustParsePrefix("10.96.0.0/16"),
		EtcdDir:          filepath.Join(dir, "etcd"),
		EncryptionKey:    keys.EncryptionKey,
	}
}

// Admin is a client configuration of the administrator, over HTTPS.
func (r *Running) Admin() (*rest.Config, error) {
	c, err := clientcmd.NewDefaultClientConfig(*r.Kubeconfig, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the administrator's kubeconfig: %w", err)
	}
	c.QPS = -1
	return c, nil
}
