// Package pvprotection keeps PersistentVolumes that are bound from being deleted.
package pvprotection

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "pv-protection-controller"

	finalizer = "kubernetes.io/pv-protection"
	workers   = 1
)

type controller struct{ client client.Client }

// Register puts the controller on the manager. It wakes for PersistentVolumes.
func Register(mgr manager.Manager, c client.Client) error {
	return loop.New(mgr, Name, workers).
		For(&corev1.PersistentVolume{}).
		Complete(loop.Contained(Name, reconcile.AsReconciler[*corev1.PersistentVolume](c, &controller{client: c})))
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, volume *corev1.PersistentVolume) (reconcile.Result, error) {
	protected := slices.Contains(volume.Finalizers, finalizer)
	changed := volume.DeepCopy()
	switch {
	case volume.DeletionTimestamp == nil && !protected:
		changed.Finalizers = append(changed.Finalizers, finalizer)
	case volume.DeletionTimestamp != nil && protected && volume.Status.Phase != corev1.VolumeBound:
		changed.Finalizers = slices.DeleteFunc(changed.Finalizers, func(f string) bool { return f == finalizer })
	default:
		return reconcile.Result{}, nil
	}
	if err := r.client.Update(ctx, changed); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("protecting volume %s: %w", volume.Name, err)
	}
	return reconcile.Result{}, nil
}
