package job

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/controllers/owned"
)

// orphans lets Pods go that no job is going to count: with its finalizer, such a Pod could never be deleted.
type orphans struct{ client client.Client }

// registerOrphans puts the loop on the manager. It wakes for held Pods, and when the job of some is deleted.
func registerOrphans(mgr manager.Manager, c client.Client) error {
	r := &orphans{client: c}
	return loop.New(mgr, Name+"-orphans", 1).
		For(&corev1.Pod{}, loop.Only(loop.Where(hasFinalizer))).
		Watches(&batchv1.Job{}, loop.ToRequests(r.podsOf), loop.Only(loop.Deletions())).
		Complete(loop.Contained(Name+"-orphans", r))
}

func (r *orphans) podsOf(ctx context.Context, job client.Object) []reconcile.Request {
	var pods corev1.PodList
	if err := owned.List(ctx, r.client, &pods, job); err != nil {
		return nil
	}
	var requests []reconcile.Request
	for i := range pods.Items {
		requests = append(requests, loop.Request(pods.Items[i].Namespace, pods.Items[i].Name))
	}
	return requests
}

// Reconcile implements reconcile.Reconciler.
func (r *orphans) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	var pod corev1.Pod
	if err := r.client.Get(ctx, request.NamespacedName, &pod); err != nil || !hasFinalizer(&pod) {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	waits, err := r.waits(ctx, &pod)
	if err != nil || waits {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, release(ctx, r.client, []*corev1.Pod{&pod})
}

// waits reports whether the Pod's controller is one that counts it: its job, or something unknown.
func (r *orphans) waits(ctx context.Context, pod *corev1.Pod) (bool, error) {
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil {
		return false, nil
	}
	if owner.Kind != kind.Kind || owner.APIVersion != kind.GroupVersion().String() {
		return true, nil
	}
	var job batchv1.Job
	err := r.client.Get(ctx, client.ObjectKey{Namespace: pod.Namespace, Name: owner.Name}, &job)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the job of pod %s: %w", client.ObjectKeyFromObject(pod), err)
	}
	return job.UID == owner.UID, nil
}
