// Package ephemeral makes the claims of Pods' ephemeral volumes.
package ephemeral

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/component-helpers/storage/ephemeral"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "ephemeral-volume-controller"

	workers = 5
)

type controller struct {
	client   client.Client
	recorder events.EventRecorder
}

// Register puts the controller on the manager. It wakes for Pods with ephemeral volumes, and for claims that are gone: a Pod
// that is still there gets its claim again. A Pod's end takes its claims along, by the garbage collector.
//
// https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#generic-ephemeral-volumes
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder) error {
	never := loop.Changed(func(_, _ *corev1.Pod) bool { return false }) // volumes of a Pod do not change
	return loop.New(mgr, Name, workers).
		For(&corev1.Pod{}, loop.Only(loop.Where(hasEphemeral), never)).
		Watches(&corev1.PersistentVolumeClaim{}, loop.ToRequests(podsOf), loop.Only(loop.Deletions())).
		Complete(loop.Contained(Name, reconcile.AsReconciler[*corev1.Pod](c, &controller{client: c, recorder: recorder})))
}

func hasEphemeral(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Ephemeral != nil })
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, pod *corev1.Pod) (reconcile.Result, error) {
	if pod.DeletionTimestamp != nil {
		return reconcile.Result{}, nil
	}
	for i := range pod.Spec.Volumes {
		volume := &pod.Spec.Volumes[i]
		if volume.Ephemeral == nil {
			continue
		}
		if err := r.ensure(ctx, pod, volume); err != nil {
			r.recorder.Eventf(pod, nil, corev1.EventTypeWarning, "FailedBinding", "Binding", "ephemeral volume %s: %v", volume.Name, err)
			return reconcile.Result{}, fmt.Errorf("making the claim of ephemeral volume %s of pod %s: %w", volume.Name, client.ObjectKeyFromObject(pod), err)
		}
	}
	return reconcile.Result{}, nil
}

// ensure fails if there is a claim of the name that is not the Pod's.
func (r *controller) ensure(ctx context.Context, pod *corev1.Pod, volume *corev1.Volume) error {
	wanted := claimOf(pod, volume)
	var claim corev1.PersistentVolumeClaim
	err := r.client.Get(ctx, client.ObjectKeyFromObject(wanted), &claim)
	if err == nil {
		return ephemeral.VolumeIsForPod(pod, &claim)
	}
	if !apierrors.IsNotFound(err) {
		return err
	}
	if err := r.client.Create(ctx, wanted); err != nil && !loop.NamespaceGone(err) {
		return err
	}
	return nil
}
