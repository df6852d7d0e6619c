package cluster

import (
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestFactsAreKeptAsTheOptionsSay(t *testing.T) {
	o := Options{NodeIP: "192.0.2.7", ClusterDomain: "example.org"}
	if err := o.Complete(); err != nil {
		t.Fatal(err)
	}
	want := o.facts().ConfigMap()
	client := fake.NewClientset()
	of := client.CoreV1().ConfigMaps(want.Namespace)
	check := func(when string, writes int) {
		t.Helper()
		client.ClearActions()
		if err := keep(t.Context(), of, want.Name, func(map[string]string) (*corev1.ConfigMap, error) { return want, nil }); err != nil {
			t.Fatal(err)
		}
		if n := len(client.Actions()) - 1; n != writes {
			t.Errorf("%s it is written %d times, want %d", when, n, writes)
		}
		is, err := of.Get(t.Context(), want.Name, metav1.GetOptions{})
		if err != nil || !maps.Equal(is.Data, want.Data) || is.Data["clusterDomain"] != "example.org" {
			t.Errorf("%s it is %v, %v", when, is, err)
		}
	}
	check("at first", 1)
	check("again", 0)
	changed := want.DeepCopy()
	changed.Data["clusterDNS"] = "10.0.0.1"
	if _, err := of.Update(t.Context(), changed, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	check("after somebody's change", 1)
	if err := of.Delete(t.Context(), want.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	check("after its deletion", 1)
}
