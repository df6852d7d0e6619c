package cluster

import (
	"testing"

	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/cmd/cluster"
)

func classNamed(t *testing.T, client kubernetes.Interface, name string) *storagev1.StorageClass {
	t.Helper()
	c, err := client.StorageV1().StorageClasses().Get(t.Context(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// decided waits until the cluster has decided about its class.
func decided(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	await.Until(t, "the cluster decided about its default class", func() bool {
		n, err := client.CoreV1().Namespaces().Get(t.Context(), metav1.NamespaceSystem, metav1.GetOptions{})
		return err == nil && n.Annotations["coracle.io/local-storage-class"] != ""
	})
}

// TestTheDefaultClassIsMadeOnce: in a data directory that has none, of an earlier version too; after that it is its users'.
func TestTheDefaultClassIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	without, client := start(t, cluster.Options{DataDir: dir, Disable: []string{volume.LocalStorage}})
	if c := classNamed(t, client, volume.LocalClass); c != nil {
		t.Errorf("without local storage there is a class %v", c)
	}
	if err := without.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(kubernetes.Interface, *storagev1.StorageClass){
		func(client kubernetes.Interface, c *storagev1.StorageClass) {
			if c == nil || !volume.IsDefaultClass(c) || c.Provisioner != volume.LocalProvisioner {
				t.Fatalf("a cluster without a class gets %v", c)
			}
			c.Annotations[volume.DefaultClassAnnotation] = "false"
			if _, err := client.StorageV1().StorageClasses().Update(t.Context(), c, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
		},
		func(client kubernetes.Interface, c *storagev1.StorageClass) {
			if c == nil || volume.IsDefaultClass(c) {
				t.Fatalf("after a restart, what was changed is %v", c)
			}
			if err := client.StorageV1().StorageClasses().Delete(t.Context(), c.Name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		},
		func(_ kubernetes.Interface, c *storagev1.StorageClass) {
			if c != nil {
				t.Errorf("after a restart, what was deleted is %v", c)
			}
		},
	} {
		running, client := start(t, cluster.Options{DataDir: dir})
		decided(t, client)
		change(client, classNamed(t, client, volume.LocalClass))
		if err := running.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}
