package api

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	crcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/coracle-k8s/coracle/e2e/api/apitest"
)

func TestCachesInTheProcessShareObjects(t *testing.T) {
	r := apitest.Shared(t)
	ctx, maps := apitest.Context(t), r.Client(t).CoreV1().ConfigMaps("default")
	informers := r.Server.Informers().Core().V1().ConfigMaps().Informer()
	one, two := shared(t, r, "system:admin", "system:masters"), shared(t, r, "system:admin", "system:masters")
	if _, err := maps.Create(ctx, configMap("pointed"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pointers := map[any]bool{}
	for _, c := range []client.Reader{one, two} {
		eventually(t, "the object is cached", func() bool {
			return c.Get(ctx, client.ObjectKey{Namespace: "default", Name: "pointed"}, &corev1.ConfigMap{}) == nil
		})
	}
	for _, c := range []interface{ GetIndexer() cache.Indexer }{indexer(t, one), indexer(t, two), informers} {
		eventually(t, "every informer has it", func() bool {
			o, ok, err := c.GetIndexer().GetByKey("default/pointed")
			if ok && err == nil {
				pointers[o] = true
			}
			return ok
		})
	}
	if len(pointers) != 1 {
		t.Errorf("%d copies of one object", len(pointers))
	}
}

func TestCachesNeedTheRightToList(t *testing.T) {
	r := apitest.Shared(t)
	ctx := apitest.Context(t)
	c := shared(t, r, "system:serviceaccount:default:nobody", "system:serviceaccounts")
	i, err := c.GetInformer(ctx, &corev1.Secret{}, crcache.BlockUntilSynced(false))
	if err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s", Namespace: "default"}}
	if _, err := r.Client(t).CoreV1().Secrets("default").Create(ctx, secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	allowed := shared(t, r, "system:admin", "system:masters")
	eventually(t, "who may list has it", func() bool {
		return allowed.Get(ctx, client.ObjectKeyFromObject(secret), &corev1.Secret{}) == nil
	})
	if n := len(i.(interface{ GetIndexer() cache.Indexer }).GetIndexer().List()); n != 0 || i.HasSynced() {
		t.Errorf("who may not list has %d Secrets", n)
	}
}

func TestWritersCanWaitForTheirWrites(t *testing.T) {
	r := apitest.Shared(t)
	ctx := apitest.Context(t)
	mine := kubernetes.NewForConfigOrDie(r.Server.ClientConfig("system:admin", "system:masters")).CoreV1().ConfigMaps("default")
	for i := range 20 {
		made, err := mine.Create(ctx, configMap(fmt.Sprint("w", i)), metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Server.Tee().WaitFor(ctx, corev1.SchemeGroupVersion.WithKind("ConfigMap"), made.ResourceVersion); err != nil {
			t.Fatal(err)
		}
	}
}

func TestInProcessUsersHaveTheirOwnRights(t *testing.T) {
	r := apitest.Shared(t)
	nobody := kubernetes.NewForConfigOrDie(r.Server.ClientConfig("nobody"))
	if _, err := nobody.CoreV1().Secrets("").List(apitest.Context(t), metav1.ListOptions{}); err == nil {
		t.Error("nobody may list Secrets")
	}
	impostor := r.Server.ClientConfig("nobody")
	impostor.BearerToken = "x"
	impostor.Impersonate.UserName = "system:admin"
	impostor.Impersonate.Groups = []string{"system:masters"}
	if _, err := kubernetes.NewForConfigOrDie(impostor).CoreV1().Secrets("").List(apitest.Context(t), metav1.ListOptions{}); err == nil {
		t.Error("nobody may impersonate")
	}
}

// indexer is the informer of ConfigMaps beneath a cache.
func indexer(t *testing.T, c crcache.Cache) interface{ GetIndexer() cache.Indexer } {
	t.Helper()
	i, err := c.GetInformer(apitest.Context(t), &corev1.ConfigMap{})
	if err != nil {
		t.Fatal(err)
	}
	return i.(interface{ GetIndexer() cache.Indexer })
}
