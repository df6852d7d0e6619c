// Package serviceaccount keeps the default ServiceAccount in every active namespace.
package serviceaccount

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "service-account-controller"

	account = "default"
	workers = 1
)

type controller struct{ client client.Client }

// Register puts the controller on the manager. It wakes for namespaces, and for deletions of default accounts.
func Register(mgr manager.Manager, c client.Client) error {
	isDefault := loop.Where(func(sa *corev1.ServiceAccount) bool { return sa.Name == account })
	return loop.New(mgr, Name, workers).
		For(&corev1.Namespace{}).
		Watches(&corev1.ServiceAccount{}, loop.Namespaces(), loop.Only(isDefault, loop.Deletions())).
		Complete(loop.Contained(Name, reconcile.AsReconciler[*corev1.Namespace](c, &controller{client: c})))
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, namespace *corev1.Namespace) (reconcile.Result, error) {
	if namespace.Status.Phase != corev1.NamespaceActive {
		return reconcile.Result{}, nil
	}
	var existing corev1.ServiceAccount
	err := r.client.Get(ctx, client.ObjectKey{Namespace: namespace.Name, Name: account}, &existing)
	if !apierrors.IsNotFound(err) {
		return reconcile.Result{}, err
	}
	wanted := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: account}}
	err = r.client.Create(ctx, wanted)
	if err == nil || apierrors.IsAlreadyExists(err) || loop.NamespaceGone(err) {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, fmt.Errorf("creating the default service account of namespace %s: %w", namespace.Name, err)
}
