package agent

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
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/keyutil"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
	"github.com/coracle-k8s/coracle/cmd/cluster"
	"github.com/coracle-k8s/coracle/cmd/cluster/pki"
	"github.com/coracle-k8s/coracle/cmd/node"
)

// world is a control plane, and an administrator there.
type world struct {
	t      *testing.T
	dir    string
	url    string
	ca     *x509.Certificate
	client kubernetes.Interface
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	c, err := cluster.Start(t.Context(), cluster.Options{DataDir: w.dir, ControlPlaneOnly: true, HTTPSPort: -1, BindAddress: "127.0.0.1", NodeName: "server"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	config, err := c.AdminConfig()
	if err != nil {
		t.Fatal(err)
	}
	w.url, w.ca, w.client = c.URL(), parse(t, config.CAData), kubernetes.NewForConfigOrDie(config)
	w.await("the server to be ready", func(ctx context.Context) bool { // its system namespaces are there, then
		return w.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() == nil
	})
	return w
}

// token is one that the cluster knows, unless it is kept secret, for any number of machines unless limited.
func (w *world) token(known bool, uses ...int) string {
	w.t.Helper()
	token, err := bootstrap.NewToken(w.ca)
	if err != nil {
		w.t.Fatal(err)
	}
	if known {
		s := bootstrap.TokenSecret(token, "", time.Now().Add(time.Hour))
		for _, n := range uses {
			bootstrap.LimitUses(s, n)
		}
		if _, err := w.client.CoreV1().Secrets(s.Namespace).Create(w.t.Context(), s, metav1.CreateOptions{}); err != nil {
			w.t.Fatal(err)
		}
		w.await("the server to know the token", func(ctx context.Context) bool {
			way := newConnection(w.url, w.ca, func() *tls.Certificate { return nil })
			defer way.close()
			client, err := way.client(token.Bearer())
			if err != nil {
				w.t.Fatal(err)
			}
			_, err = client.CertificatesV1().CertificateSigningRequests().List(ctx, metav1.ListOptions{})
			return err == nil
		})
	}
	return token.String()
}

func (w *world) options(name, token string) Options {
	w.t.Helper()
	o := Options{Options: node.Options{DataDir: w.t.TempDir(), Name: name, IP: "192.0.2.7"}, Server: w.url, Token: token}
	if err := o.Complete(); err != nil {
		w.t.Fatal(err)
	}
	return o
}

func (w *world) await(what string, done func(context.Context) bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	defer cancel()
	for !done(ctx) {
		select {
		case <-ctx.Done():
			requests, err := w.client.CertificatesV1().CertificateSigningRequests().List(w.t.Context(), metav1.ListOptions{})
			w.t.Fatalf("waited too long for %s; requests: %v, %v", what, requests, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// makeNode makes a Node that says it has the address.
func (w *world) makeNode(name, address string, ready corev1.ConditionStatus) {
	w.t.Helper()
	nodes := w.client.CoreV1().Nodes()
	if _, err := nodes.Create(w.t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
	status := fmt.Sprintf(`{"status":{"addresses":[{"type":"InternalIP","address":%q}],"conditions":[{"type":"Ready","status":%q}]}}`, address, ready)
	if _, err := nodes.Patch(w.t.Context(), name, types.StrategicMergePatchType, []byte(status), metav1.PatchOptions{}, "status"); err != nil {
		w.t.Fatal(err)
	}
}

func refused(t *testing.T, err error, about string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), about) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v, want one line about %q", err, about)
	}
}

func TestAMachineJoinsOnceAndNeedsNoTokenAgain(t *testing.T) {
	w := newWorld(t)
	refused(t, Join(t.Context(), w.options("n", "")), "give a token")
	o := w.options("n", w.token(false))
	refused(t, Join(t.Context(), o), "the server does not know the token")
	if left, err := os.ReadDir(o.dir()); err != nil || len(left) != 0 {
		t.Errorf("a refused token leaves %v, %v", left, err)
	}
	o.Token = w.token(true)
	if err := Join(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(o.dir(), "kubelet-client-current.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info, err)
	}
	refused(t, CheckReady(t.Context(), o), `nodes "n" not found`) // the server knows who asks
	for _, token := range []string{"", w.token(false)} {
		if o.Token = token; Join(t.Context(), o) != nil {
			t.Errorf("a machine that has joined cannot start with token %q: %v", token, Join(t.Context(), o))
		}
	}
	o.Token = strings.Repeat("a", 6) + "." + strings.Repeat("b", 16) + "." + strings.Repeat("0", 64)
	refused(t, Join(t.Context(), o), "belongs to another cluster")
	o.Token, o.Name = "", "other"
	refused(t, Join(t.Context(), o), "has joined as system:node:n")
}

func TestTokensAreForNewNodesOnly(t *testing.T) {
	w := newWorld(t)
	token := w.token(true)
	w.makeNode("runs", "192.0.2.1", corev1.ConditionTrue)
	w.makeNode("lost", "192.0.2.2", corev1.ConditionUnknown)
	for name, why := range map[string]string{
		"runs": "kubectl delete node runs", "lost": "kubectl delete node lost", "kubernetes": "Service", "hook.ns.svc": "Service",
	} {
		o := w.options(name, token)
		refused(t, Join(t.Context(), o), why)
		if left, err := os.ReadDir(o.dir()); err != nil || len(left) != 0 {
			t.Errorf("a denied request leaves %v, %v", left, err)
		}
	}
	if err := w.client.CoreV1().Nodes().Delete(t.Context(), "lost", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	o := w.options("lost", token)
	w.await("the node that was deleted to join again", func(ctx context.Context) bool { return Join(ctx, o) == nil })
	refused(t, Join(t.Context(), w.options("lost", token)), "just now") // whose Node is to come
}

func TestTokensAreUsedUp(t *testing.T) {
	w := newWorld(t)
	w.makeNode("runs", "192.0.2.1", corev1.ConditionTrue)
	token := w.token(true, 2)
	refused(t, Join(t.Context(), w.options("runs", token)), "kubectl delete node runs") // which uses nothing
	for _, name := range []string{"a", "b"} {
		if err := Join(t.Context(), w.options(name, token)); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, Join(t.Context(), w.options("c", token)), "used up")
	parsed, err := bootstrap.ParseToken(token)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := w.client.CoreV1().Secrets("kube-system").Get(t.Context(), "bootstrap-token-"+parsed.ID, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if uses, nodes, err := bootstrap.TokenUses(secret); uses != 2 || strings.Join(nodes, " ") != "a b" || err != nil {
		t.Errorf("it is for %d, used by %v, %v", uses, nodes, err)
	}
}

func TestAMachineThatWasCutOffComesBackWithItsRequest(t *testing.T) {
	w := newWorld(t)
	o := w.options("n", w.token(true, 1))
	if err := Join(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	// What was there when the server had answered, and nobody had heard it.
	current := filepath.Join(o.dir(), "kubelet-client-current.pem")
	pair, err := os.ReadFile(current)
	if err != nil {
		t.Fatal(err)
	}
	_, key, _ := strings.Cut(string(pair), "-----END CERTIFICATE-----\n")
	if err := os.WriteFile(filepath.Join(o.dir(), joiningKey), []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{current, filepath.Join(o.dir(), caFile)} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	if err := Join(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(o.dir()); err != nil || len(left) != 2 {
		t.Errorf("it leaves %v, %v", left, err)
	}
}

func TestTokensAreReadFromFiles(t *testing.T) {
	w := newWorld(t)
	o := w.options("n", "")
	o.TokenFile = filepath.Join(t.TempDir(), "token")
	refused(t, Join(t.Context(), o), "--token-file")
	if err := os.WriteFile(o.TokenFile, []byte(w.token(true)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Join(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(o.TokenFile); err != nil {
		t.Fatal(err)
	}
	if err := Join(t.Context(), o); err != nil {
		t.Errorf("a machine that has joined needs its token: %v", err)
	}
}

func TestCertificatesAreRenewedWhileANodeRuns(t *testing.T) {
	w := newWorld(t)
	o := w.options("n", w.token(true))
	if err := Join(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	id, err := openIdentity(o)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key := w.nearItsEnd(id.subject())
	old, err := id.client.Update(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	way := newConnection(o.Server, id.ca, id.client.current.Load)
	defer way.close()
	before := way.now.Load()
	id.client.changed = way.renew
	client, err := way.client("")
	if err != nil {
		t.Fatal(err)
	}
	if err := id.renewing(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	w.await("a new client certificate", func(context.Context) bool { return id.client.current.Load() != old && way.now.Load() != before })
	if again, err := openStore(id.client.path); err != nil || !again.current.Load().Leaf.Equal(id.client.current.Load().Leaf) {
		t.Errorf("on disk is another certificate, %v", err)
	}
	if _, err := client.CoreV1().Nodes().Get(t.Context(), "n", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("with the new certificate: %v", err)
	}

	// The Service proxy has a certificate of its own, and sees what the node does not.
	w.await("a certificate for the proxy", func(context.Context) bool { return id.proxy.current.Load() != nil })
	proxyWay := newConnection(o.Server, id.ca, id.asProxy)
	defer proxyWay.close()
	proxy, err := proxyWay.client("")
	if err != nil {
		t.Fatal(err)
	}
	w.await("the proxy to see all Nodes", func(ctx context.Context) bool {
		_, err := proxy.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		return err == nil
	})
	if _, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("the node sees all Nodes: %v", err)
	}
	if _, err := client.DiscoveryV1().EndpointSlices("").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("the node sees all EndpointSlices: %v", err)
	}

	// The request for a serving certificate waits until the Node says what its addresses are.
	if _, err := id.serving.get(nil); err == nil {
		t.Error("the kubelet has a serving certificate before its Node is there")
	}
	w.makeNode("n", o.IP, corev1.ConditionTrue)
	w.await("a serving certificate", func(context.Context) bool { _, err := id.serving.get(nil); return err == nil })
	serving, err := id.serving.get(nil)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(w.ca)
	for _, host := range []string{"n", o.IP} {
		if _, err := serving.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err != nil {
			t.Errorf("serving as %s: %v", host, err)
		}
	}
}

// nearItsEnd is a client certificate of the cluster that is valid for some seconds more.
func (w *world) nearItsEnd(subject pkix.Name) (certificate, key []byte) {
	w.t.Helper()
	keys, err := pki.Ensure(pki.Options{Dir: filepath.Join(w.dir, "pki"), ClusterDomain: "cluster.local", ServiceIP: net.IPv4(10, 96, 0, 1)})
	if err != nil {
		w.t.Fatal(err)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	if key, err = keyutil.MarshalPrivateKeyToPEM(private); err != nil {
		w.t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: subject, NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(time.Minute),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, keys.CA.Cert, private.Public(), keys.CA.Key)
	if err != nil {
		w.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key
}

// As the upstream suite has it: [Feature:BootstrapTokens].
func TestClusterInfoIsSignedByTheTokensThatThereAre(t *testing.T) {
	w := newWorld(t)
	info := w.client.CoreV1().ConfigMaps(metav1.NamespacePublic)
	signature := func(ctx context.Context, id string) (string, bool) {
		m, err := info.Get(ctx, "cluster-info", metav1.GetOptions{})
		if err != nil {
			return "", false
		}
		text, has := m.Data["jws-kubeconfig-"+id]
		return text, has
	}
	token, err := bootstrap.ParseToken(w.token(true))
	if err != nil {
		t.Fatal(err)
	}
	first := ""
	w.await("a new token's signature", func(ctx context.Context) (has bool) {
		first, has = signature(ctx, token.ID)
		return has
	})
	w.await("cluster-info to be another", func(ctx context.Context) bool {
		m, err := info.Get(ctx, "cluster-info", metav1.GetOptions{})
		if err != nil {
			return false
		}
		m.Data["kubeconfig"] = "another"
		_, err = info.Update(ctx, m, metav1.UpdateOptions{})
		return err == nil
	})
	w.await("a signature of what it says now", func(ctx context.Context) bool {
		now, has := signature(ctx, token.ID)
		return has && now != first
	})
	secrets := w.client.CoreV1().Secrets(metav1.NamespaceSystem)
	expired := bootstrap.TokenSecret(bootstrap.Token{ID: "0a1b2c", Secret: "0123456789abcdef"}, "", time.Now().Add(-time.Hour))
	if _, err := secrets.Create(t.Context(), expired, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.await("the expired token to go", func(ctx context.Context) bool {
		_, err := secrets.Get(ctx, expired.Name, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	if err := secrets.Delete(t.Context(), "bootstrap-token-"+token.ID, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.await("the signature to go with its token", func(ctx context.Context) bool {
		_, has := signature(ctx, token.ID)
		return !has
	})
}
