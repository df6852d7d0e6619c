package resourcequota

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// unlisted is a cache of objects that can never be listed: their definition is gone.
type unlisted struct{ cache.Cache }

func (unlisted) GetInformer(context.Context, client.Object, ...cache.InformerGetOption) (cache.Informer, error) {
	return never{}, nil
}

type never struct{ cache.Informer }

func (never) HasSynced() bool { return false }
func (never) IsStopped() bool { return false }
func (never) AddEventHandler(toolscache.ResourceEventHandler) (toolscache.ResourceEventHandlerRegistration, error) {
	return nil, nil
}

// What is defined no more must not keep workers busy for good, nor the rest from being measured.
func TestWhatCannotBeListedIsNotWaitedFor(t *testing.T) {
	q := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "q"},
		Spec:       corev1.ResourceQuotaSpec{Hard: list("pods", "5", "count/foos.example.com", "5")},
		Status:     corev1.ResourceQuotaStatus{Used: list("pods", "0", "count/foos.example.com", "3")},
	}
	p := pod("1", corev1.PodRunning)
	p.Namespace, p.Name = "ns", "p"
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Foo"}, meta.RESTScopeNamespace)
	c := fake.NewClientBuilder().WithObjects(q, &p).WithStatusSubresource(q).Build()
	r := &controller{client: c, cache: unlisted{}, mapper: mapper, now: time.Now, watched: map[schema.GroupVersionKind]cache.Informer{}}
	synctest.Test(t, func(t *testing.T) {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(q), q); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := r.Reconcile(t.Context(), q); err == nil {
			t.Error("nothing will be tried again")
		}
		if took := time.Since(began); took > patience {
			t.Errorf("it took %v", took)
		}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(q), q); err != nil {
			t.Fatal(err)
		}
		if pods, foos := q.Status.Used["pods"], q.Status.Used["count/foos.example.com"]; pods.Value() != 1 || foos.Value() != 3 {
			t.Errorf("used %v, want 1 pod, and still 3 foos", q.Status.Used)
		}
	})
}
