package nodes

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/coracle-k8s/coracle/e2e/machines"
)

const (
	goodSigner = "example.com/good"
	badSigner  = "example.com/bad"
)

// A node of its own identity asks a signer, who is a part of the cluster's users, for its Pods' certificates.
func TestPodsOfAnAgentHaveCertificatesAndTrust(t *testing.T) {
	c := newCluster(t, machines.Config{Agents: 1})
	s := newSigner(t)
	ctx, stop := context.WithCancel(t.Context())
	signing := make(chan error, 1)
	go func() { signing <- s.sign(ctx, c.client) }()
	bundles := c.client.CertificatesV1().ClusterTrustBundles()
	bundle, err := bundles.Create(t.Context(), &certificatesv1.ClusterTrustBundle{
		ObjectMeta: metav1.ObjectMeta{Name: "example.com:good:one", Labels: map[string]string{"live": "yes"}},
		Spec:       certificatesv1.ClusterTrustBundleSpec{SignerName: goodSigner, TrustBundle: s.trusted()},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}

	pod := c.run(web("there", "agent1", certified(goodSigner)))[0]
	read := func(name string) string { return c.kubectl("exec", pod.Name, "--", "cat", "/id/"+name) }
	both, anchors := read("bundle.pem"), x509.NewCertPool()
	pair, err := tls.X509KeyPair([]byte(both), []byte(both))
	if err != nil {
		t.Fatalf("what the Pod has is no key with its certificate: %v", err)
	}
	if !anchors.AppendCertsFromPEM([]byte(read("ca.pem"))) {
		t.Error("the Pod sees no certificates of whom to trust")
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: anchors, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Errorf("the Pod's certificate: %v", err)
	}
	if got := pair.Leaf.Subject.CommonName; got != "default/there on agent1" {
		t.Errorf("the certificate is for %q", got)
	}
	bundle.Spec.TrustBundle += newSigner(t).trusted()
	if _, err := bundles.Update(t.Context(), bundle, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.within(time.Minute, "the Pod sees that there is one more to trust", func() error {
		if n := strings.Count(read("ca.pem"), "BEGIN"); n != 2 {
			return fmt.Errorf("it sees %d", n)
		}
		return nil
	})

	if _, err := c.client.CoreV1().Pods(metav1.NamespaceDefault).Create(t.Context(), web("refused", "agent1", certified(badSigner)), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.soon("the signer's no is told of the Pod", func() error { return c.told("refused", "Denied", "Because: no") })
	c.soon("and that it does not start", func() error { return c.told("refused", "FailedMount", "permanently denied") })
	c.kubectl("delete", "pod", "there", "refused", "--timeout=30s")
	stop()
	if err := <-signing; err != nil {
		t.Error(err)
	}
}

// certified gives a Pod a certificate and whom a signer trusts, in /id.
func certified(signer string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.Volumes = []corev1.Volume{{Name: "id", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{
				{PodCertificate: &corev1.PodCertificateProjection{SignerName: signer, KeyType: "ECDSAP256", CredentialBundlePath: "bundle.pem"}},
				{ClusterTrustBundle: &corev1.ClusterTrustBundleProjection{
					SignerName: &signer, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"live": "yes"}}, Path: "ca.pem",
				}},
			},
		}}}}
		pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "id", MountPath: "/id"}}
	}
}

// told fails unless there is such an Event of a Pod.
func (c *cluster) told(pod, reason, words string) error {
	list, err := c.client.CoreV1().Events(metav1.NamespaceDefault).List(c.t.Context(), metav1.ListOptions{
		FieldSelector: "involvedObject.name=" + pod + ",reason=" + reason,
	})
	if err != nil {
		return err
	}
	for _, e := range list.Items {
		if strings.Contains(e.Message, words) {
			return nil
		}
	}
	return fmt.Errorf("there are %d Events with reason %s", len(list.Items), reason)
}

// signer signs what goodSigner is asked for, and denies what badSigner is.
type signer struct {
	key *ecdsa.PrivateKey
	ca  *x509.Certificate
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(48 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{key, ca}
}

func (s *signer) trusted() string { return encoded(s.ca.Raw) }

func encoded(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// sign answers requests until ctx ends.
func (s *signer) sign(ctx context.Context, client kubernetes.Interface) error {
	events, err := client.CertificatesV1().PodCertificateRequests(metav1.NamespaceAll).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	defer events.Stop()
	for e := range events.ResultChan() {
		request, ok := e.Object.(*certificatesv1.PodCertificateRequest)
		if !ok || e.Type != "ADDED" {
			continue
		}
		if err := s.answer(request); err != nil {
			return err
		}
		if _, err := client.CertificatesV1().PodCertificateRequests(request.Namespace).UpdateStatus(ctx, request, metav1.UpdateOptions{}); err != nil {
			return fmt.Errorf("answering %s: %w", request.Name, err)
		}
	}
	return nil
}

func (s *signer) answer(request *certificatesv1.PodCertificateRequest) error {
	verdict := metav1.Condition{Status: metav1.ConditionTrue, Reason: "Because", Message: "no", LastTransitionTime: metav1.Now()}
	if request.Spec.SignerName != goodSigner {
		verdict.Type = certificatesv1.PodCertificateRequestConditionTypeDenied
		request.Status.Conditions = []metav1.Condition{verdict}
		return nil
	}
	proof, err := x509.ParseCertificateRequest(request.Spec.StubPKCS10Request)
	if err != nil {
		return err
	}
	from, until := time.Now().Add(-time.Minute).Truncate(time.Second), time.Now().Add(time.Hour).Truncate(time.Second)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: fmt.Sprintf("%s/%s on %s", request.Namespace, request.Spec.PodName, request.Spec.NodeName)},
		NotBefore:    from, NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, s.ca, proof.PublicKey, s.key)
	if err != nil {
		return err
	}
	verdict.Type, verdict.Message = certificatesv1.PodCertificateRequestConditionTypeIssued, ""
	request.Status = certificatesv1.PodCertificateRequestStatus{
		Conditions: []metav1.Condition{verdict}, CertificateChain: encoded(der),
		NotBefore: &metav1.Time{Time: from}, BeginRefreshAt: &metav1.Time{Time: from.Add(40 * time.Minute)}, NotAfter: &metav1.Time{Time: until},
	}
	return nil
}
