package cluster

import (
	"maps"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/cluster-bootstrap/token/api"

	"github.com/coracle-k8s/coracle/cmd/cluster/pki"
)

func TestClusterInfoIsToldAtTheStart(t *testing.T) {
	c := &Cluster{options: Options{AdvertiseAddress: "192.0.2.7", HTTPSPort: 6443}, keys: &pki.PKI{CA: &pki.Authority{Pair: pki.Pair{CertPEM: []byte("CA")}}}}
	info := c.info()
	before := map[string]string{api.KubeConfigKey: "of an earlier address", api.JWSSignatureKeyPrefix + "abcdef": "signature"}
	var first map[string]string
	for range 2 { // whoever was not written tells it again
		m, err := info(before)
		if err != nil {
			t.Fatal(err)
		}
		first = m.Data
	}
	config, err := clientcmd.Load([]byte(first[api.KubeConfigKey]))
	if err != nil || config.Clusters[""] == nil || config.Clusters[""].Server != "https://192.0.2.7:6443" || len(config.AuthInfos) > 0 {
		t.Errorf("told is %v, %v", config, err)
	}
	if first[api.JWSSignatureKeyPrefix+"abcdef"] != "signature" || strings.Contains(before[api.KubeConfigKey], "192.0.2.7") {
		t.Errorf("of %v it made %v", before, first)
	}
	if m, err := info(first); err != nil || !maps.Equal(m.Data, first) {
		t.Errorf("told again: %v, %v", m, err)
	}
	changed := map[string]string{api.KubeConfigKey: "an administrator's"}
	if m, err := info(changed); err != nil || !maps.Equal(m.Data, changed) {
		t.Errorf("what an administrator wrote became %v, %v", m, err)
	}
	if m, err := info(nil); err != nil || !maps.Equal(m.Data, map[string]string{api.KubeConfigKey: first[api.KubeConfigKey]}) {
		t.Errorf("after its deletion: %v, %v", m, err)
	}
}
