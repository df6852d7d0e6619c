package peer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"path/filepath"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/keyutil"

	"github.com/coracle-k8s/coracle/cmd/cluster/pki"
)

// keys are a cluster's, in a folder, with the configurations of those who use the API.
type keys struct {
	*pki.PKI
	dir, url string
}

// makeKeys makes what kubeadm makes before anything runs. They are of the same kinds as Coracle's, cheaper than kubeadm's RSA.
func makeKeys(dir string, n *node) (*keys, error) {
	address := n.address.String()
	made, err := pki.Ensure(pki.Options{
		Dir: dir, Hosts: []string{address}, ClusterDomain: domain, ServiceIP: net.ParseIP(serviceIP), NodeName: n.name, NodeHosts: []string{address},
	})
	if err != nil {
		return nil, err
	}
	k := &keys{PKI: made, dir: dir, url: "https://" + address + ":6443"}
	for user, file := range map[string]string{
		"system:kube-controller-manager": "controller-manager.conf",
		"system:kube-scheduler":          "scheduler.conf",
		"system:kube-proxy":              "proxy.conf",
	} {
		pair, err := k.issue(user)
		if err != nil {
			return nil, err
		}
		if err := k.write(filepath.Join(dir, file), pair); err != nil {
			return nil, err
		}
	}
	if err := k.write(k.admin(), k.Admin); err != nil {
		return nil, err
	}
	return k, k.write(n.file("kubelet.conf"), k.NodeClient)
}

// admin is the administrator's configuration.
func (k *keys) admin() string { return filepath.Join(k.dir, "admin.conf") }

// issue makes a user's certificate.
func (k *keys) issue(user string) (p pki.Pair, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return p, fmt.Errorf("making the key of %s: %w", user, err)
	}
	now := time.Now()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: user}, NotAfter: now.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if p.CertPEM, err = k.CA.Sign(template, key.Public(), now); err != nil {
		return p, err
	}
	p.KeyPEM, err = keyutil.MarshalPrivateKeyToPEM(key)
	return p, err
}

// write writes the configuration of who has a certificate.
func (k *keys) write(path string, client pki.Pair) error {
	return pki.WriteKubeconfig(path, k.Kubeconfig("bench", k.url, client))
}

// writeBootstrap writes that of a node which has nothing but the token.
func (k *keys) writeBootstrap(path string) error {
	config := k.Kubeconfig("bench", k.url, pki.Pair{})
	for user := range config.AuthInfos {
		config.AuthInfos[user] = &clientcmdapi.AuthInfo{Token: tokenID + "." + tokenSecret}
	}
	return pki.WriteKubeconfig(path, config)
}
