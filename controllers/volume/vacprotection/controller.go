// Package vacprotection keeps VolumeAttributesClasses that volumes or claims name from being deleted. One that is first named
// while it is being deleted may be missed, as upstream's controller may miss it: provisioning reports that it is gone.
package vacprotection

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "volumeattributesclass-protection-controller"

	finalizer = "kubernetes.io/vac-protection"
	workers   = 1
)

type controller struct{ client client.Client }

// Register puts the controller on the manager. It wakes for VolumeAttributesClasses, and for those that a volume or claim
// names when that names others or is gone.
func Register(mgr manager.Manager, c client.Client) error {
	claimed := func(old, now *corev1.PersistentVolumeClaim) bool {
		return !slices.Equal(namedByClaim(old), namedByClaim(now))
	}
	held := func(old, now *corev1.PersistentVolume) bool {
		return !slices.Equal(namedByVolume(old), namedByVolume(now))
	}
	return loop.New(mgr, Name, workers).
		For(&storagev1.VolumeAttributesClass{}).
		Watches(&corev1.PersistentVolumeClaim{}, loop.ToRequests(func(_ context.Context, o client.Object) []reconcile.Request {
			return requests(namedByClaim(o.(*corev1.PersistentVolumeClaim)))
		}), loop.Only(loop.Changed(claimed))).
		Watches(&corev1.PersistentVolume{}, loop.ToRequests(func(_ context.Context, o client.Object) []reconcile.Request {
			return requests(namedByVolume(o.(*corev1.PersistentVolume)))
		}), loop.Only(loop.Changed(held))).
		Complete(loop.Contained(Name, reconcile.AsReconciler[*storagev1.VolumeAttributesClass](c, &controller{client: c})))
}

func requests(names []string) []reconcile.Request {
	var list []reconcile.Request
	for _, name := range names {
		list = append(list, loop.Request("", name))
	}
	return list
}

// namedByClaim lists the classes that a claim asks for, has, or is on its way to.
func namedByClaim(claim *corev1.PersistentVolumeClaim) []string {
	names := append(given(claim.Spec.VolumeAttributesClassName), given(claim.Status.CurrentVolumeAttributesClassName)...)
	if s := claim.Status.ModifyVolumeStatus; s != nil {
		names = append(names, given(&s.TargetVolumeAttributesClassName)...)
	}
	return names
}

func namedByVolume(volume *corev1.PersistentVolume) []string {
	return given(volume.Spec.VolumeAttributesClassName)
}

func given(name *string) []string {
	if name == nil || *name == "" {
		return nil
	}
	return []string{*name}
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, class *storagev1.VolumeAttributesClass) (reconcile.Result, error) {
	protected := slices.Contains(class.Finalizers, finalizer)
	changed := class.DeepCopy()
	switch {
	case class.DeletionTimestamp == nil && !protected:
		changed.Finalizers = append(changed.Finalizers, finalizer)
	case class.DeletionTimestamp != nil && protected:
		used, err := r.used(ctx, class.Name)
		if used || err != nil {
			return reconcile.Result{}, err
		}
		changed.Finalizers = slices.DeleteFunc(changed.Finalizers, func(f string) bool { return f == finalizer })
	default:
		return reconcile.Result{}, nil
	}
	if err := r.client.Update(ctx, changed); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("protecting volume attributes class %s: %w", class.Name, err)
	}
	return reconcile.Result{}, nil
}

// used reports whether a volume or a claim names the class.
func (r *controller) used(ctx context.Context, name string) (bool, error) {
	var volumes corev1.PersistentVolumeList
	if err := r.client.List(ctx, &volumes); err != nil {
		return false, fmt.Errorf("listing volumes: %w", err)
	}
	for i := range volumes.Items {
		if slices.Contains(namedByVolume(&volumes.Items[i]), name) {
			return true, nil
		}
	}
	var claims corev1.PersistentVolumeClaimList
	if err := r.client.List(ctx, &claims); err != nil {
		return false, fmt.Errorf("listing claims: %w", err)
	}
	for i := range claims.Items {
		if slices.Contains(namedByClaim(&claims.Items[i]), name) {
			return true, nil
		}
	}
	return false, nil
}
