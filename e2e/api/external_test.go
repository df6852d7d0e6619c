package api

import (
	"net"
	"net/netip"
	"slices"
	"testing"

	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/config"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	"go.etcd.io/etcd/server/v3/features"
	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/api/apitest"
	"github.com/coracle-k8s/coracle/registry/server"
	"github.com/coracle-k8s/coracle/registry/storage"
)

// external starts an etcd that is reached over the network, and returns its URL.
func external(t *testing.T) string {
	t.Helper()
	self := types.MustNewURLs([]string{"http://127.0.0.1:1"})
	etcd, err := etcdserver.NewServer(config.ServerConfig{
		Name: "etcd", DataDir: t.TempDir(), NewCluster: true, InitialClusterToken: "test",
		PeerURLs: self, InitialPeerURLsMap: types.URLsMap{"etcd": self},
		TickMs: 10, ElectionTicks: 10, InitialElectionTickAdvance: true, MaxTxnOps: 128, MaxRequestBytes: 1 << 20,
		AuthToken: "simple", BcryptCost: 4, TokenTTL: 300, Logger: zap.NewNop(), ServerFeatureGate: features.NewDefaultServerFeatureGate("etcd", zap.NewNop()),
	})
	if err != nil {
		t.Fatal(err)
	}
	etcd.Start()
	t.Cleanup(etcd.Stop)
	await.Receive(t, etcd.ReadyNotify(), "etcd was ready")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rpc := v3rpc.Server(etcd, nil, nil)
	go func() { _ = rpc.Serve(l) }()
	t.Cleanup(rpc.Stop)
	return "http://" + l.Addr().String()
}

func TestServersOnOneExternalEtcdAreOneCluster(t *testing.T) {
	t.Parallel()
	at, dir := external(t), t.TempDir() // one directory: they share keys
	start := func(address string) *apitest.Running {
		r, stop := apitest.StartIn(t, dir, func(c *server.Config) {
			c.EtcdDir, c.Etcd = "", &storage.Cluster{Endpoints: []string{at}}
			c.AdvertiseAddress = netip.MustParseAddr(address)
		})
		t.Cleanup(stop)
		return r
	}
	ctx, one, two := apitest.Context(t), start("192.0.2.1"), start("192.0.2.2")
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}, StringData: map[string]string{"a": "b"}}
	if _, err := one.Client(t).CoreV1().Secrets("default").Create(ctx, secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	found, err := two.Client(t).CoreV1().Secrets("default").Get(ctx, "s", metav1.GetOptions{})
	if err != nil || string(found.Data["a"]) != "b" {
		t.Errorf("the other server finds %v, %v", found, err)
	}
	eventually(t, "Service kubernetes leads to both", func() bool {
		slice, err := one.Client(t).DiscoveryV1().EndpointSlices("default").Get(ctx, "kubernetes", metav1.GetOptions{})
		if err != nil {
			return false
		}
		var addresses []string
		for _, e := range slice.Endpoints {
			addresses = append(addresses, e.Addresses...)
		}
		return slices.Equal(addresses, []string{"192.0.2.1", "192.0.2.2"})
	})
}
