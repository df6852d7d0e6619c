package nodelifecycle

import (
	"context"
	"errors"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

func TestNoNodeIsLostToALateWatch(t *testing.T) {
	held := lease(start)
	held.Namespace, held.Name = corev1.NamespaceNodeLease, "a"
	live := ""
	c := fake.NewClientBuilder().WithObjects(held).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			err := c.Get(ctx, key, o, opts...)
			if is, ok := o.(*unstructured.Unstructured); ok && live != "" {
				is.SetResourceVersion(live)
			}
			return err
		},
	}).Build()
	r := &controller{client: c}
	if err := r.upToDate(t.Context(), "a"); err != nil {
		t.Errorf("the same lease: %v", err)
	}
	live = "77"
	if err := r.upToDate(t.Context(), "a"); !errors.Is(err, errBehind) {
		t.Errorf("a newer one: %v", err)
	}
	live = ""
	if err := c.Delete(t.Context(), &coordinationv1.Lease{ObjectMeta: held.ObjectMeta}); err != nil {
		t.Fatal(err)
	}
	if err := r.upToDate(t.Context(), "a"); err != nil {
		t.Errorf("none: %v", err)
	}
}
