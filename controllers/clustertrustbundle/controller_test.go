package clustertrustbundle

import (
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

func TestOnlyTheCurrentBundleIsPublished(t *testing.T) {
	old := &certificatesv1.ClusterTrustBundle{
		ObjectMeta: metav1.ObjectMeta{Name: "kubernetes.io:kube-apiserver-serving:old"},
		Spec:       certificatesv1.ClusterTrustBundleSpec{SignerName: signer, TrustBundle: "old"},
	}
	c := fake.NewClientBuilder().WithObjects(old).Build()
	r := &controller{client: c, wanted: bundle([]byte("ca"))}
	reconcile := func(name string) {
		t.Helper()
		if _, err := r.Reconcile(t.Context(), loop.Request("", name)); err != nil {
			t.Fatal(err)
		}
	}
	published := func() *certificatesv1.ClusterTrustBundle {
		t.Helper()
		var all certificatesv1.ClusterTrustBundleList
		if err := c.List(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		if len(all.Items) != 1 || all.Items[0].Spec.TrustBundle != "ca" || all.Items[0].Spec.SignerName != signer {
			t.Fatalf("published: %v", all.Items)
		}
		return &all.Items[0]
	}

	reconcile(old.Name)
	b := published()

	b.Spec.TrustBundle = "somebody's"
	if err := c.Update(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	reconcile(b.Name)
	if err := c.Delete(t.Context(), published(), client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
		t.Fatal(err)
	}
	reconcile(b.Name)
	published()
}
