package controllers_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/coracle-k8s/coracle/await"
)

// namespace makes a namespace for a test, ready for Pods.
func namespace(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	create(t, ns)
	t.Cleanup(func() { _ = admin.Delete(context.Background(), ns) })
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "default"}}
	eventually(t, account, func() error { return nil })
	return ns.Name
}

func create(t *testing.T, o client.Object) {
	t.Helper()
	if err := admin.Create(t.Context(), o); err != nil {
		t.Fatalf("creating %T %s: %v", o, o.GetName(), err)
	}
}

// temporary makes an object that no namespace takes with it: it goes with the test, before the next one makes one of its name.
func temporary(t *testing.T, o client.Object) {
	t.Helper()
	create(t, o)
	goes(t, o)
}

func goes(t *testing.T, o client.Object) {
	t.Cleanup(func() {
		// The test's own context has ended.
		ctx, found := await.Context(t, "what the test made went"), o.DeepCopyObject().(client.Object)
		await.Until(t, fmt.Sprintf("%T %s went", o, o.GetName()), func() bool {
			return apierrors.IsNotFound(admin.Delete(ctx, found)) || apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(o), found))
		})
	})
}

// change reads the object, lets f change it and writes it, until no other writer came between.
func change[T client.Object](t *testing.T, o T, write func(context.Context, client.Object) error, f func(T)) {
	t.Helper()
	for {
		get(t, o)
		f(o)
		err := write(t.Context(), o)
		if apierrors.IsConflict(err) {
			continue
		}
		if err != nil {
			t.Fatalf("writing %T %s: %v", o, o.GetName(), err)
		}
		return
	}
}

func update(ctx context.Context, o client.Object) error { return admin.Update(ctx, o) }

func updateStatus(ctx context.Context, o client.Object) error { return admin.Status().Update(ctx, o) }

func get(t *testing.T, o client.Object) {
	t.Helper()
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		t.Fatalf("reading %T %s: %v", o, o.GetName(), err)
	}
}

// eventually reads o again and again until holds has no objection.
func eventually(t *testing.T, o client.Object, holds func() error) {
	t.Helper()
	var last error
	err := poll(t, func(ctx context.Context) bool {
		last = admin.Get(ctx, client.ObjectKeyFromObject(o), o)
		if last == nil {
			last = holds()
		}
		return last == nil
	})
	if err != nil {
		t.Fatalf("%T %s: %v", o, o.GetName(), last)
	}
}

// gone waits until the object does not exist any more; meanwhile the Pods of its namespace live on.
func gone(t *testing.T, o client.Object) {
	t.Helper()
	err := poll(t, func(ctx context.Context) bool {
		if o.GetNamespace() != "" {
			runPods(t, o.GetNamespace())
		}
		return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(o), o))
	})
	if err != nil {
		t.Fatalf("%T %s is still there: %v", o, o.GetName(), o)
	}
}

func poll(t *testing.T, done func(ctx context.Context) bool) error {
	return wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		return done(ctx), nil
	})
}

// list reads all objects of a kind in a namespace.
func list[T client.ObjectList](t *testing.T, into T, namespace string) T {
	t.Helper()
	if err := admin.List(t.Context(), into, client.InNamespace(namespace)); err != nil {
		t.Fatalf("listing %T: %v", into, err)
	}
	return into
}

// runPods plays scheduler and kubelet: it binds every Pod of the namespace to a Node, makes it ready, and ends it when it
// is deleted. It returns how many Pods there are.
func runPods(t *testing.T, namespace string) int {
	t.Helper()
	pods := list(t, &corev1.PodList{}, namespace)
	for i := range pods.Items {
		pod := &pods.Items[i]
		switch {
		case pod.DeletionTimestamp != nil:
			_ = admin.Delete(t.Context(), pod, client.GracePeriodSeconds(0))
		case pod.Spec.NodeName == "":
			bind(t, pod, "worker")
		case pod.Status.Phase != corev1.PodRunning:
			pod.Status.Phase = corev1.PodRunning
			pod.Status.PodIP = fmt.Sprintf("10.244.9.%d", 1+i)
			pod.Status.PodIPs = []corev1.PodIP{{IP: pod.Status.PodIP}}
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}}
			_ = admin.Status().Update(t.Context(), pod)
		}
	}
	return len(pods.Items)
}

// bind puts the Pod on a Node, which it makes for the test if there is none of the name.
func bind(t *testing.T, pod *corev1.Pod, node string) {
	t.Helper()
	if n := (&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}}); admin.Create(t.Context(), n) == nil {
		goes(t, n)
	}
	_ = admin.SubResource("binding").Create(t.Context(), pod, &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: node}})
}

func quantity(text string) resource.Quantity { return resource.MustParse(text) }
