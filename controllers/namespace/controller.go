// Package namespace empties namespaces that are being deleted, and lets them go when nothing is left in them.
package namespace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "namespace-controller"

	workers    = 5
	firstRetry = 5 * time.Millisecond
	lastRetry  = time.Minute

	// settle is how long after its deletion a namespace is looked through for the last time: a request that was
	// admitted before may still be on its way to the storage. The time of deletion is stored in whole seconds.
	settle = 2 * time.Second
)

type controller struct {
	client  client.Client
	content content
	now     func() time.Time
}

// Register puts the controller on the manager. It wakes for namespaces that are being deleted, and when a Pod in one
// is gone.
func Register(mgr manager.Manager, c client.Client, resources discovery.DiscoveryInterface, objects metadata.Interface) error {
	r := &controller{client: c, content: content{resources: resources, objects: objects}, now: time.Now}
	return loop.WithRetries(mgr, Name, workers, firstRetry, lastRetry).
		For(&corev1.Namespace{}, loop.Only(loop.Where(isDeleted))).
		Watches(&corev1.Pod{}, loop.Namespaces(), loop.Only(loop.Deletions(), loop.Where(r.inDeleted))).
		Complete(loop.Contained(Name, reconcile.AsReconciler[*corev1.Namespace](c, r)))
}

func isDeleted(namespace *corev1.Namespace) bool { return namespace.DeletionTimestamp != nil }

func (r *controller) inDeleted(pod *corev1.Pod) bool {
	var namespace corev1.Namespace
	err := r.client.Get(context.Background(), client.ObjectKey{Name: pod.Namespace}, &namespace)
	return err == nil && isDeleted(&namespace)
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, namespace *corev1.Namespace) (reconcile.Result, error) {
	if !isDeleted(namespace) || len(namespace.Spec.Finalizers) == 0 {
		return reconcile.Result{}, nil
	}
	namespace = namespace.DeepCopy()
	if namespace.Status.Phase != corev1.NamespaceTerminating {
		namespace.Status.Phase = corev1.NamespaceTerminating
		if err := r.client.Status().Update(ctx, namespace); err != nil {
			return reconcile.Result{}, client.IgnoreNotFound(err)
		}
	}
	age := r.now().Sub(namespace.DeletionTimestamp.Time)
	found := r.content.delete(ctx, namespace.Name, age)
	if err := r.writeConditions(ctx, namespace, found); err != nil {
		return reconcile.Result{}, err
	}
	if again, err := found.next(age); again > 0 || err != nil {
		return reconcile.Result{RequeueAfter: again}, err
	}
	return reconcile.Result{}, r.release(ctx, namespace)
}

func (r *controller) writeConditions(ctx context.Context, namespace *corev1.Namespace, found findings) error {
	updated := conditions(namespace.Status.Conditions, found, r.now())
	if apiequality.Semantic.DeepEqual(updated, namespace.Status.Conditions) {
		return nil
	}
	namespace.Status.Conditions = updated
	if err := r.client.Status().Update(ctx, namespace); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing the status of namespace %s: %w", namespace.Name, err)
	}
	return nil
}

// release takes the finalizer off, which makes the server delete the namespace.
func (r *controller) release(ctx context.Context, namespace *corev1.Namespace) error {
	namespace.Spec.Finalizers = slices.DeleteFunc(namespace.Spec.Finalizers, func(f corev1.FinalizerName) bool {
		return f == corev1.FinalizerKubernetes
	})
	if err := r.client.SubResource("finalize").Update(ctx, namespace); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("finalizing namespace %s: %w", namespace.Name, err)
	}
	return nil
}

// next is when to look again; zero and no error when the namespace is empty for good.
func (f findings) next(age time.Duration) (time.Duration, error) {
	switch {
	case len(f.errs) > 0:
		return 0, errors.Join(f.errs...)
	case f.patience > 0:
		return f.patience/2 + time.Second, nil
	case age < settle:
		return settle - age, nil
	}
	return 0, nil
}
