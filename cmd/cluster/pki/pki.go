// Package pki makes, checks and renews a cluster's keys and certificates, which are files of its data directory.
package pki

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Options say which keys and certificates a server needs.
type Options struct {
	// Dir holds the files; it is made with mode 0700 if missing.
	Dir string
	// Files that are shared with other servers.
	Files Files

	// Hosts are further names and addresses (hostname, advertise address, nodes' addresses, --tls-san) under which the
	// API server is reached. The names of the Service "kubernetes" and localhost are always there.
	Hosts []string
	// ClusterDomain ends the DNS names of Services: cluster.local.
	ClusterDomain string
	// ServiceIP is the address of the Service "kubernetes", the first of the service CIDR.
	ServiceIP net.IP

	// NodeName, unless empty, asks for the certificates of this machine's kubelet, reachable at NodeHosts.
	NodeName  string
	NodeHosts []string

	// Now decides what needs renewal; time.Now() if zero.
	Now time.Time
}

// Files are paths of keys that several servers of one cluster share. An empty path means a file in Options.Dir, which is
// made when missing; a file named here must exist.
type Files struct {
	CACert, CAKey                     string
	FrontProxyCACert, FrontProxyCAKey string
	// ServiceAccountKey signs tokens; it is an RSA or ECDSA private key in PEM.
	ServiceAccountKey string
	// ServiceAccountPublicKeys verify further tokens, of keys that signed before; PEM, public or private.
	ServiceAccountPublicKeys []string
	// EncryptionKey holds 32 bytes in base64.
	EncryptionKey string
}

// PKI is what a server needs, loaded.
type PKI struct {
	// CA signs the certificates of servers, nodes and users; FrontProxyCA those of proxies that may name users.
	CA, FrontProxyCA *Authority

	// Serving is the API server's certificate. KubeletClient and FrontProxyClient are what it shows to kubelets and to
	// aggregated API servers. Admin may do everything.
	Serving, KubeletClient, FrontProxyClient, Admin Pair
	// NodeClient and NodeServing belong to the kubelet; zero without Options.NodeName.
	NodeClient, NodeServing Pair

	// ServiceAccountKey signs service account tokens. ServiceAccountPublicKeys verify them, its own first.
	ServiceAccountKey        crypto.Signer
	ServiceAccountPublicKeys []crypto.PublicKey
	// EncryptionKey encrypts Secrets at rest: 32 bytes.
	EncryptionKey []byte

	// ServingHosts are the names and addresses that Serving is for.
	ServingHosts []string
	// Renewal is when Ensure will first renew one of the certificates.
	Renewal time.Time
}

// Ensure loads the keys and certificates, makes those that are missing, and renews leaf certificates that do not fit the
// options any more or have less than a third of their life left. Authorities and keys are never replaced: damaged ones are
// an error. It is idempotent, and safe to be run by several processes at once.
func Ensure(o Options) (*PKI, error) {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of keys: %w", err)
	}
	unlock, err := lock(filepath.Join(o.Dir, ".lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()

	p := &PKI{ServingHosts: servingHosts(o)}
	if err := p.ensureKeys(o); err != nil {
		return nil, err
	}
	return p, p.ensureLeaves(o)
}

func (p *PKI) ensureKeys(o Options) (err error) {
	f := o.Files
	if p.CA, err = ensureAuthority(o, "ca", "coracle-ca", f.CACert, f.CAKey); err != nil {
		return err
	}
	if p.FrontProxyCA, err = ensureAuthority(o, "front-proxy-ca", "coracle-front-proxy-ca", f.FrontProxyCACert, f.FrontProxyCAKey); err != nil {
		return err
	}
	if p.ServiceAccountKey, err = ensureSigningKey(o.Dir, f.ServiceAccountKey); err != nil {
		return err
	}
	if p.ServiceAccountPublicKeys, err = loadPublicKeys(p.ServiceAccountKey, f.ServiceAccountPublicKeys); err != nil {
		return err
	}
	if p.EncryptionKey, err = ensureEncryptionKey(o.Dir, f.EncryptionKey); err != nil {
		return err
	}
	return syncDir(o.Dir)
}

func (p *PKI) ensureLeaves(o Options) error {
	for _, l := range p.leaves(o) {
		pair, renewal, err := ensureLeaf(o, l.authority, l.leaf)
		if err != nil {
			return err
		}
		*l.into = pair
		if p.Renewal.IsZero() || renewal.Before(p.Renewal) {
			p.Renewal = renewal
		}
	}
	return nil
}

type wanted struct {
	into      *Pair
	authority *Authority
	leaf      leaf
}

// leaves is the list of certificates. The administrator is a member of system:masters, whom the server obeys without
// asking RBAC: the one credential that works before the bootstrap policy is stored, and when somebody has broken it.
func (p *PKI) leaves(o Options) []wanted {
	client, server := x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth
	list := []wanted{
		{&p.Serving, p.CA, leaf{file: "apiserver", user: "kube-apiserver", hosts: servingHosts(o), usage: server}},
		{&p.KubeletClient, p.CA, leaf{file: "apiserver-kubelet-client", user: KubeletClientUser, groups: []string{"system:masters"}, usage: client}},
		{&p.FrontProxyClient, p.FrontProxyCA, leaf{file: "front-proxy-client", user: FrontProxyUser, usage: client}},
		{&p.Admin, p.CA, leaf{file: "admin", user: "kubernetes-admin", groups: []string{"system:masters"}, usage: client}},
	}
	if o.NodeName != "" {
		user, groups := "system:node:"+o.NodeName, []string{"system:nodes"}
		list = append(list,
			wanted{&p.NodeClient, p.CA, leaf{file: "kubelet-client", user: user, groups: groups, usage: client}},
			wanted{&p.NodeServing, p.CA, leaf{file: "kubelet-serving", user: user, groups: groups, usage: server,
				hosts: append([]string{o.NodeName}, o.NodeHosts...)}})
	}
	return list
}

// FrontProxyUser is the common name of the only client that may tell the API server, or an aggregated one, in whose name a
// request is made.
const FrontProxyUser = "front-proxy-client"

// KubeletClientUser is the common name of the API server as a client of kubelets.
const KubeletClientUser = "kube-apiserver-kubelet-client"

func servingHosts(o Options) []string {
	hosts := []string{"localhost", "127.0.0.1", "::1", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
	if o.ClusterDomain != "" {
		hosts = append(hosts, "kubernetes.default.svc."+o.ClusterDomain)
	}
	if o.ServiceIP != nil {
		hosts = append(hosts, o.ServiceIP.String())
	}
	return append(hosts, o.Hosts...)
}
