package nodes

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/e2e/machines"
)

func TestCertificatesOfANodeAreRenewedWhileItRuns(t *testing.T) {
	long(t)
	// The shortest that leaves a moment between a certificate's arrival and its renewal: they are valid from 5 minutes ago on, and
	// renewed when 70 to 90 % of their time is over.
	const lifetime = 140 * time.Second
	c := newCluster(t, machines.Config{Agents: 1, ServerFlags: []string{fmt.Sprintf("--cluster-signing-duration=%s", lifetime)}})
	c.run(web("there", "agent1"))
	start, agent := time.Now(), c.pid(c.Agent(1))
	first := c.serving(c.Agent(1))
	if err := first.VerifyHostname(c.Agent(1).Address.String()); err != nil {
		t.Error(err)
	}
	if left := time.Until(first.NotAfter); left > lifetime {
		t.Fatalf("the certificate is valid for another %s: the test would see nothing", left)
	}
	c.within(lifetime, "the serving certificate is renewed", func() error {
		if again := c.serving(c.Agent(1)); again.SerialNumber.Cmp(first.SerialNumber) == 0 {
			return fmt.Errorf("it is the one of %s", first.NotBefore)
		}
		return nil
	})
	c.within(lifetime, "the client certificate is renewed by the node itself", func() error {
		return c.requested(certificatesv1.KubeAPIServerClientKubeletSignerName, "system:node:agent1")
	})
	if err := c.requested(certificatesv1.KubeletServingSignerName, "system:node:agent1"); err != nil {
		t.Error(err)
	}
	time.Sleep(time.Until(start.Add(lifetime + 5*time.Second))) // all that the node had at first is over
	c.run(web("late", "agent1"))
	if out := c.kubectl("exec", "late", "--", "hostname"); out != "late\n" {
		t.Errorf("a command in a Pod prints %q", out)
	}
	if err := c.nodeReady("agent1", "True"); err != nil {
		t.Error(err)
	}
	if c.pid(c.Agent(1)) != agent {
		t.Error("the agent was started again")
	}
}

// serving is the certificate that a node's kubelet shows.
func (c *cluster) serving(n *machines.Node) *x509.Certificate {
	c.t.Helper()
	address := net.JoinHostPort(n.Address.String(), "10250")
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

// requested says whether a user has requested a certificate, and got it.
func (c *cluster) requested(signer, user string) error {
	all, err := c.client.CertificatesV1().CertificateSigningRequests().List(c.t.Context(), metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, r := range all.Items {
		if r.Spec.SignerName == signer && r.Spec.Username == user && len(r.Status.Certificate) > 0 {
			return nil
		}
	}
	return fmt.Errorf("no such request among %d", len(all.Items))
}
