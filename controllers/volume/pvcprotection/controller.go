// Package pvcprotection keeps PersistentVolumeClaims that Pods use from being deleted under them.
package pvcprotection

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/controllers/loop"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "pvc-protection-controller"

	finalizer = "kubernetes.io/pvc-protection"
	workers   = 1
)

type controller struct{ client client.Client }

// Register puts the controller on the manager. It wakes for PersistentVolumeClaims, and when a Pod that uses one is gone
// or finished.
func Register(mgr manager.Manager, c client.Client) error {
	finished := func(old, now *corev1.Pod) bool { return core.PodTerminal(old) != core.PodTerminal(now) }
	return loop.New(mgr, Name, workers).
		For(&corev1.PersistentVolumeClaim{}).
		Watches(&corev1.Pod{}, loop.ToRequests(claimsOf), loop.Only(loop.Changed(finished))).
		Complete(reconcile.AsReconciler[*corev1.PersistentVolumeClaim](c, &controller{client: c}))
}

func claimsOf(_ context.Context, o client.Object) []reconcile.Request {
	pod := o.(*corev1.Pod)
	var requests []reconcile.Request
	for i := range pod.Spec.Volumes {
		if name := claimName(pod, &pod.Spec.Volumes[i]); name != "" {
			requests = append(requests, loop.Request(pod.Namespace, name))
		}
	}
	return requests
}

// claimName is the claim that a volume is, or that is made for it.
func claimName(pod *corev1.Pod, volume *corev1.Volume) string {
	switch {
	case volume.PersistentVolumeClaim != nil:
		return volume.PersistentVolumeClaim.ClaimName
	case volume.Ephemeral != nil:
		return pod.Name + "-" + volume.Name
	}
	return ""
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, claim *corev1.PersistentVolumeClaim) (reconcile.Result, error) {
	protected := slices.Contains(claim.Finalizers, finalizer)
	changed := claim.DeepCopy()
	switch {
	case claim.DeletionTimestamp == nil && !protected:
		changed.Finalizers = append(changed.Finalizers, finalizer)
	case claim.DeletionTimestamp != nil && protected:
		used, err := r.used(ctx, claim)
		if used || err != nil {
			return reconcile.Result{}, err
		}
		changed.Finalizers = slices.DeleteFunc(changed.Finalizers, func(f string) bool { return f == finalizer })
	default:
		return reconcile.Result{}, nil
	}
	if err := r.client.Update(ctx, changed); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("protecting claim %s: %w", client.ObjectKeyFromObject(claim), err)
	}
	return reconcile.Result{}, nil
}

// used reports whether a Pod that is on a Node, and not finished, mounts the claim.
func (r *controller) used(ctx context.Context, claim *corev1.PersistentVolumeClaim) (bool, error) {
	var pods corev1.PodList
	if err := r.client.List(ctx, &pods, client.InNamespace(claim.Namespace)); err != nil {
		return false, fmt.Errorf("listing pods: %w", err)
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.Spec.NodeName == "" || core.PodTerminal(pod) {
			continue
		}
		mounts := func(v corev1.Volume) bool { return claimName(pod, &v) == claim.Name }
		if slices.ContainsFunc(pod.Spec.Volumes, mounts) {
			return true, nil
		}
	}
	return false, nil
}
