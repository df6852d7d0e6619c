package cluster

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/config"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	"go.etcd.io/etcd/server/v3/features"
	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/cmd/cluster"
	"github.com/coracle-k8s/coracle/cmd/cluster/pki"
)

// externalEtcd serves etcd with TLS and client certificates, as another machine would, and returns its URL and a client's files.
func externalEtcd(t *testing.T) (url, ca, cert, key string) {
	t.Helper()
	keys, err := pki.Ensure(pki.Options{Dir: filepath.Join(t.TempDir(), "pki"), ServiceIP: net.IPv4(10, 96, 0, 1), ClusterDomain: "cluster.local"})
	if err != nil {
		t.Fatal(err)
	}
	peers, err := types.NewURLs([]string{"http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	log := zap.NewNop()
	s, err := etcdserver.NewServer(config.ServerConfig{
		Name: "m", DataDir: t.TempDir(), PeerURLs: peers, InitialPeerURLsMap: types.URLsMap{"m": peers}, NewCluster: true, InitialClusterToken: "t",
		TickMs: 10, ElectionTicks: 10, SnapshotCount: 10000, MaxTxnOps: 128, MaxRequestBytes: 1 << 21, QuotaBackendBytes: 1 << 30,
		AuthToken: "simple", BcryptCost: 4, TokenTTL: 300, Logger: log, ServerFeatureGate: features.NewDefaultServerFeatureGate("m", log), Metrics: "basic",
		WarningApplyDuration: time.Second, WarningUnaryRequestDuration: time.Second, CompactionBatchLimit: 1000, DowngradeCheckTime: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	await.Receive(t, s.ReadyNotify(), "etcd was ready")
	serving, err := tls.X509KeyPair(keys.Serving.CertPEM, keys.Serving.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rpc := v3rpc.Server(s, &tls.Config{Certificates: []tls.Certificate{serving}, ClientAuth: tls.RequireAnyClientCert}, nil)
	go rpc.Serve(listener) //nolint:errcheck // it ends by Stop
	t.Cleanup(func() { rpc.Stop(); s.HardStop() })
	return "https://" + listener.Addr().String(), keys.CA.CertFile, keys.Admin.CertFile, keys.Admin.KeyFile
}

// TestServersOnOneExternalEtcdShareACluster starts two servers with the same keys on one etcd: what one writes the other serves,
// a token that one issues the other accepts, and etcd itself never sees a Secret.
func TestServersOnOneExternalEtcdShareACluster(t *testing.T) {
	url, ca, cert, key := externalEtcd(t)
	first := t.TempDir()
	o := cluster.Options{DataDir: first, EtcdServers: []string{url}, EtcdCAFile: ca, EtcdCertFile: cert, EtcdKeyFile: key}
	_, one := start(t, o)
	shared := o
	shared.DataDir = t.TempDir()
	in := func(name string) string { return filepath.Join(first, "pki", name) }
	shared.CACertFile, shared.CAKeyFile = in("ca.crt"), in("ca.key")
	shared.FrontProxyCACertFile, shared.FrontProxyCAKeyFile = in("front-proxy-ca.crt"), in("front-proxy-ca.key")
	shared.ServiceAccountKeyFile, shared.EncryptionKeyFile = in("sa.key"), in("encryption.key")
	_, two := start(t, shared)

	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}, Data: map[string][]byte{"password": []byte("correct horse battery staple")}}
	if _, err := one.CoreV1().Secrets("default").Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err := two.CoreV1().Secrets("default").Get(t.Context(), "s", metav1.GetOptions{})
	if err != nil || string(got.Data["password"]) != "correct horse battery staple" {
		t.Errorf("the second server reads %q, %v", got.Data["password"], err)
	}
	for _, value := range inEtcd(t, url, cert, key, "/registry/secrets/") {
		if strings.Contains(value, "battery") {
			t.Error("etcd holds the Secret in the clear")
		}
	}
}

func inEtcd(t *testing.T, url, cert, key, prefix string) (values []string) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{url}, TLS: &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	r, err := client.Get(t.Context(), prefix, clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Kvs) == 0 {
		t.Fatalf("etcd holds nothing beneath %s", prefix)
	}
	for _, kv := range r.Kvs {
		values = append(values, string(kv.Value))
	}
	return values
}

func TestUnreachableEtcdIsToldInOneLine(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), await.Limit)
	defer cancel()
	dir := t.TempDir()
	_, err := cluster.Start(ctx, cluster.Options{DataDir: dir, ControlPlaneOnly: true, HTTPSPort: -1, EtcdServers: []string{"http://127.0.0.1:1"}})
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("error is %v, want one line that names the address", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "etcd")); err == nil {
		t.Error("an etcd was started beside the external one")
	}
}
