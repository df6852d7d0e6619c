// Package pvcprotection keeps PersistentVolumeClaims that Pods use from being deleted under them, and says since when none does.
package pvcprotection

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
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

	// ByClaim is the index of Pods by the names of their claims.
	ByClaim = "claim"
	page    = 500
)

type controller struct {
	client client.Client
	now    func() time.Time
}

// Register puts the controller on the manager. It wakes for PersistentVolumeClaims, and when a Pod that uses one comes, is
// gone or finished. AddIndexes must have been called.
func Register(mgr manager.Manager, c client.Client) error {
	finished := func(old, now *corev1.Pod) bool { return core.PodTerminal(old) != core.PodTerminal(now) }
	return loop.New(mgr, Name, workers).
		For(&corev1.PersistentVolumeClaim{}).
		Watches(&corev1.Pod{}, loop.ToRequests(ClaimsOf), loop.Only(loop.Changed(finished))).
		Complete(loop.Contained(Name, reconcile.AsReconciler[*corev1.PersistentVolumeClaim](c, &controller{client: c, now: time.Now})))
}

// AddIndexes indexes Pods by the claims that they name. Call once for each manager, before any informer is started.
func AddIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	err := indexer.IndexField(ctx, &corev1.Pod{}, ByClaim, func(o client.Object) []string { return claimNames(o.(*corev1.Pod)) })
	if err != nil {
		return fmt.Errorf("indexing pods by claim: %w", err)
	}
	return nil
}

// ClaimsOf are requests for the claims that a Pod names.
func ClaimsOf(_ context.Context, o client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, name := range claimNames(o.(*corev1.Pod)) {
		requests = append(requests, loop.Request(o.GetNamespace(), name))
	}
	return requests
}

// claimNames are the claims that a Pod has for volumes.
func claimNames(pod *corev1.Pod) []string {
	var names []string
	for i := range pod.Spec.Volumes {
		if name := claimName(pod, &pod.Spec.Volumes[i]); name != "" {
			names = append(names, name)
		}
	}
	return names
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
	if wrote, err := r.noteUse(ctx, claim); wrote || err != nil {
		return reconcile.Result{}, err // what was written wakes it again
	}
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

// used reports whether a Pod that is on a Node, and not finished, mounts the claim. That the cache knows of none is not
// enough: it learns of claims and of Pods by two streams, of which one may be behind. Then the server is asked.
func (r *controller) used(ctx context.Context, claim *corev1.PersistentVolumeClaim) (bool, error) {
	var pods corev1.PodList
	if err := r.client.List(ctx, &pods, client.InNamespace(claim.Namespace), client.MatchingFields{ByClaim: claim.Name}); err != nil {
		return false, fmt.Errorf("listing pods with claim %s: %w", client.ObjectKeyFromObject(claim), err)
	}
	for i := range pods.Items {
		if mounts(&pods.Items[i], claim.Name) {
			return true, nil
		}
	}
	return r.usedByNow(ctx, claim)
}

// usedByNow asks the server, in pages: unstructured reads are not served from the cache.
func (r *controller) usedByNow(ctx context.Context, claim *corev1.PersistentVolumeClaim) (bool, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	for {
		err := r.client.List(ctx, list, client.InNamespace(claim.Namespace), client.Limit(page), client.Continue(list.GetContinue()))
		if err != nil {
			return false, fmt.Errorf("listing pods of %s: %w", claim.Namespace, err)
		}
		for i := range list.Items {
			var pod corev1.Pod
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, &pod); err != nil {
				return false, fmt.Errorf("reading pod %s/%s: %w", claim.Namespace, list.Items[i].GetName(), err)
			}
			if mounts(&pod, claim.Name) {
				return true, nil
			}
		}
		if list.GetContinue() == "" {
			return false, nil
		}
	}
}

func mounts(pod *corev1.Pod, claim string) bool {
	return pod.Spec.NodeName != "" && !core.PodTerminal(pod) && slices.Contains(claimNames(pod), claim)
}
