package bootstrap

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/cluster-bootstrap/util/secrets"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

// CleanerName is the cleaner's, and that of its service account in kube-system.
const CleanerName = "token-cleaner"

type cleaner struct {
	client client.Client
	now    func() time.Time
}

// RegisterCleaner puts the cleaner on the manager. It wakes for tokens, and when one expires.
func RegisterCleaner(mgr manager.Manager, c client.Client) error {
	return loop.New(mgr, CleanerName, 1).
		For(&corev1.Secret{}, loop.Only(loop.Where(isToken))).
		Complete(loop.Contained(CleanerName, reconcile.AsReconciler[*corev1.Secret](c, &cleaner{client: c, now: time.Now})))
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *cleaner) Reconcile(ctx context.Context, token *corev1.Secret) (reconcile.Result, error) {
	left, expired := secrets.GetExpiration(token, r.now())
	if !expired {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	err := r.client.Delete(ctx, token, client.Preconditions{UID: &token.UID})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return reconcile.Result{}, fmt.Errorf("deleting the expired token %s: %w", token.Name, err)
	}
	return reconcile.Result{}, nil
}
