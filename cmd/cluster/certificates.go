package cluster

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/cmd/cluster/pki"
)

const (
	// lookAgain bounds the sleep until a renewal: a sleeper does not notice that the machine was suspended, or that its clock was set.
	lookAgain = time.Hour
	// An authority near its own end limits what it signs to ever shorter times.
	leastWait = time.Minute
)

// certificates are the server's own, as they are used now.
type certificates struct {
	// servingChain ends with the CA's certificate: whoever knows its hash finds it there.
	servingChain, servingKey []byte
	kubeletClient            *tls.Certificate
	nodeServing              *tls.Certificate // nil without a node
}

// ensureCertificates makes and renews keys and certificates and puts them to use.
func (c *Cluster) ensureCertificates() error {
	keys, err := c.ensureKeys()
	if err != nil {
		return err
	}
	now := &certificates{
		servingChain: append(append([]byte(nil), keys.Serving.CertPEM...), keys.CA.CertPEM...), servingKey: keys.Serving.KeyPEM,
	}
	if now.kubeletClient, err = load(keys.KubeletClient); err != nil {
		return err
	}
	if !c.options.ControlPlaneOnly {
		if now.nodeServing, err = load(keys.NodeServing); err != nil {
			return err
		}
	}
	kubeconfig := keys.Kubeconfig("coracle", c.url, keys.Admin)
	if err := pki.WriteKubeconfig(c.options.Admin(), kubeconfig); err != nil {
		return fmt.Errorf("writing %s: %w", c.options.Admin(), err)
	}
	if c.keys == nil {
		c.keys = keys // authorities and keys stay
	}
	c.certificates.Store(now)
	c.renewal = keys.Renewal
	return nil
}

func load(p pki.Pair) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(p.CertPEM, p.KeyPEM)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate %s: %w", p.CertFile, err)
	}
	return &pair, nil
}

// renewCertificates renews what comes near its end while the cluster runs, or is not valid any more by a clock that was set.
func (c *Cluster) renewCertificates(ctx context.Context) error {
	for {
		timer := time.NewTimer(max(leastWait, min(lookAgain, time.Until(c.renewal))))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		before := c.renewal
		if err := c.ensureCertificates(); err != nil {
			return fmt.Errorf("renewing certificates: %w", err)
		}
		if !c.renewal.Equal(before) {
			klog.InfoS("Renewed certificates", "next", c.renewal)
		}
	}
}
