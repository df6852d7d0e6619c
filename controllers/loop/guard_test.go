package loop

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func TestAPanicOfAHandlerCostsOneEvent(t *testing.T) {
	q := NewQueue("", workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer q.ShutDown()
	h := ToRequests(func(_ context.Context, o client.Object) []reconcile.Request {
		if o.GetName() == "malformed" {
			panic(o.GetName())
		}
		return []reconcile.Request{Request("", o.GetName())}
	})
	for _, name := range []string{"malformed", "p"} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}}
		h.Create(t.Context(), event.CreateEvent{Object: pod}, q)
		h.Update(t.Context(), event.UpdateEvent{ObjectOld: pod, ObjectNew: pod}, q)
		h.Delete(t.Context(), event.DeleteEvent{Object: pod}, q)
	}
	if item, _ := q.Get(); item.Name != "p" || q.Len() != 0 {
		t.Errorf("got %s and %d more, want p alone", item.Name, q.Len())
	}
}

func TestAPanickingPredicateLetsPass(t *testing.T) {
	pod := &corev1.Pod{}
	if !Changed(func(_, _ *corev1.Pod) bool { panic("old or new") }).Update(event.UpdateEvent{ObjectOld: pod, ObjectNew: pod}) {
		t.Error("the update was held back")
	}
	if !Where(func(*corev1.Pod) bool { panic("which") }).Create(event.CreateEvent{Object: pod}) {
		t.Error("the creation was held back")
	}
}

func TestAPanickingReconcilerFails(t *testing.T) {
	r := Contained("test", reconcile.Func(func(_ context.Context, r reconcile.Request) (reconcile.Result, error) {
		if r.Name == "malformed" {
			panic(r.Name)
		}
		return reconcile.Result{RequeueAfter: 1}, nil
	}))
	if _, err := r.Reconcile(t.Context(), Request("", "malformed")); err == nil {
		t.Error("there was no error")
	}
	if result, err := r.Reconcile(t.Context(), Request("", "p")); err != nil || result.RequeueAfter != 1 {
		t.Errorf("got %v, %v", result, err)
	}
}
