// Package ttlafterfinished deletes Jobs some time after they have finished.
package ttlafterfinished

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

// Name is the controller's, and that of its service account in kube-system.
const Name = "ttl-after-finished-controller"

const workers = 5

type controller struct {
	client client.Client
	now    func() time.Time
}

// Register puts the controller on the manager. It wakes for Jobs with a time to live, and when that is over.
func Register(mgr manager.Manager, c client.Client) error {
	mortal := func(job *batchv1.Job) bool { return job.Spec.TTLSecondsAfterFinished != nil }
	return loop.New(mgr, Name, workers).
		For(&batchv1.Job{}, loop.Only(loop.Where(mortal))).
		Complete(loop.Contained(Name, reconcile.AsReconciler[*batchv1.Job](c, &controller{client: c, now: time.Now})))
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, job *batchv1.Job) (reconcile.Result, error) {
	end, ok := expiry(job)
	if !ok || job.DeletionTimestamp != nil {
		return reconcile.Result{}, nil
	}
	if left := end.Sub(r.now()); left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	// Its time to live may have been changed since: then it is not the version that was looked at.
	err := r.client.Delete(ctx, job, client.PropagationPolicy(metav1.DeletePropagationForeground),
		client.Preconditions{UID: &job.UID, ResourceVersion: &job.ResourceVersion})
	if apierrors.IsConflict(err) || client.IgnoreNotFound(err) == nil {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, fmt.Errorf("deleting finished job %s: %w", client.ObjectKeyFromObject(job), err)
}

// expiry is when a finished job is to be deleted; ok is false for one that is not finished, or stays.
func expiry(job *batchv1.Job) (end time.Time, ok bool) {
	if job.Spec.TTLSecondsAfterFinished == nil {
		return end, false
	}
	for _, c := range job.Status.Conditions {
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Add(time.Duration(*job.Spec.TTLSecondsAfterFinished) * time.Second), true
		}
	}
	return end, false
}
