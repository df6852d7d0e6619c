package api

import (
	"net/netip"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/coracle-k8s/coracle/e2e/api/apitest"
	"github.com/coracle-k8s/coracle/registry/server"
	"github.com/coracle-k8s/coracle/registry/storage"
)

func TestWhatCannotBeReadCanBeDeletedByWhoMay(t *testing.T) {
	t.Parallel()
	at, ctx := external(t), apitest.Context(t)
	r := apitest.Start(t, func(c *server.Config) {
		c.EtcdDir, c.Etcd = "", &storage.Cluster{Endpoints: []string{at}}
		c.AdvertiseAddress = netip.MustParseAddr("192.0.2.1")
	})
	client := r.Client(t)
	secrets := client.CoreV1().Secrets("default")
	made, err := secrets.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "lost"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	etcd, err := clientv3.New(clientv3.Config{Endpoints: []string{at}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = etcd.Close() })
	if _, err := etcd.Put(ctx, storage.Root+"/secrets/default/lost", "k8s:enc:aesgcm:v1:other:unreadable"); err != nil {
		t.Fatal(err)
	}
	if _, err := secrets.Get(ctx, made.Name, metav1.GetOptions{}); !apierrors.IsInternalError(err) || !strings.Contains(err.Error(), "corrupt object") {
		t.Errorf("reading it: %v", err)
	}
	if err := secrets.Delete(ctx, made.Name, metav1.DeleteOptions{}); !apierrors.IsInternalError(err) {
		t.Errorf("deleting it as if it could be read: %v", err)
	}
	unsafe := metav1.DeleteOptions{IgnoreStoreReadErrorWithClusterBreakingPotential: new(true)}
	rule := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "delete"}}
	if _, err := client.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "deleter"}, Rules: []rbacv1.PolicyRule{rule}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "deleter"}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "deleter"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, Name: "jane"}}}
	if _, err := client.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	config := rest.CopyConfig(r.Config(t))
	config.Impersonate = rest.ImpersonationConfig{UserName: "jane"}
	jane := kubernetes.NewForConfigOrDie(config).CoreV1().Secrets("default")
	if err := jane.Delete(ctx, made.Name, unsafe); !apierrors.IsForbidden(err) {
		t.Errorf("jane, who may delete Secrets but not so: %v", err)
	}
	if err := secrets.Delete(ctx, made.Name, unsafe); err != nil {
		t.Errorf("deleting it: %v", err)
	}
	if _, err := secrets.Get(ctx, made.Name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("after that: %v", err)
	}
}
