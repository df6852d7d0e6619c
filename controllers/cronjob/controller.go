// Package cronjob starts Jobs at the times of each CronJob.
package cronjob

import (
	"context"
	"errors"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/controllers/owned"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "cronjob-controller"

	workers = 5
)

var kind = batchv1.SchemeGroupVersion.WithKind("CronJob")

type controller struct {
	client   client.Client
	recorder events.EventRecorder
	now      func() time.Time
}

// Register puts the controller on the manager. It wakes for CronJobs and their Jobs, and at each scheduled time. c's
// writes must be seen (package seen), owned's indexes be there.
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder) error {
	r := &controller{client: c, recorder: recorder, now: time.Now}
	return loop.New(mgr, Name, workers).
		For(&batchv1.CronJob{}).
		Watches(&batchv1.Job{}, owned.Wake(kind.Kind, nil)).
		Complete(loop.Contained(Name, reconcile.AsReconciler[*batchv1.CronJob](c, r)))
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, c *batchv1.CronJob) (reconcile.Result, error) {
	var list batchv1.JobList
	if err := owned.List(ctx, r.client, &list, c); err != nil {
		return reconcile.Result{}, fmt.Errorf("listing jobs of %s: %w", client.ObjectKeyFromObject(c), err)
	}
	jobs := make([]*batchv1.Job, len(list.Items))
	for i := range list.Items {
		jobs[i] = &list.Items[i]
	}
	p := decide(c, jobs, r.now())
	for _, a := range p.tell {
		r.recorder.Eventf(c, nil, a.kind, a.reason, "Schedule", "%s", a.note)
	}
	failure := r.carryOut(ctx, c, &p)
	return reconcile.Result{RequeueAfter: p.again}, errors.Join(failure, r.writeStatus(ctx, c, p.status))
}

// carryOut removes first: where one job replaces another, that one must be on its way before.
func (r *controller) carryOut(ctx context.Context, c *batchv1.CronJob, p *plan) error {
	for _, job := range p.remove {
		err := r.client.Delete(ctx, job, client.PropagationPolicy(metav1.DeletePropagationBackground), client.Preconditions{UID: &job.UID})
		if client.IgnoreNotFound(err) != nil {
			p.status.LastScheduleTime = c.Status.LastScheduleTime
			r.recorder.Eventf(c, job, corev1.EventTypeWarning, "FailedDelete", "Delete", "Deleted job: %v", err)
			return fmt.Errorf("deleting job %s: %w", client.ObjectKeyFromObject(job), err)
		}
		r.recorder.Eventf(c, job, corev1.EventTypeNormal, "SuccessfulDelete", "Delete", "Deleted job %v", job.Name)
	}
	if p.start == nil {
		return nil
	}
	if err := r.start(ctx, c, p.start); err != nil {
		p.status.LastScheduleTime = c.Status.LastScheduleTime
		return err
	}
	p.status.Active = append(p.status.Active, corev1.ObjectReference{
		APIVersion: "batch/v1", Kind: "Job", Namespace: p.start.Namespace, Name: p.start.Name,
		UID: p.start.UID, ResourceVersion: p.start.ResourceVersion,
	})
	return nil
}

// start creates the job, or finds the one that it created before it could write so down.
func (r *controller) start(ctx context.Context, c *batchv1.CronJob, job *batchv1.Job) error {
	err := r.client.Create(ctx, job)
	switch {
	case err == nil:
		r.recorder.Eventf(c, job, corev1.EventTypeNormal, "SuccessfulCreate", "Create", "Created job %v", job.Name)
		return nil
	case apierrors.IsAlreadyExists(err):
		if err := r.client.Get(ctx, client.ObjectKeyFromObject(job), job); err != nil {
			return err
		}
		if !metav1.IsControlledBy(job, c) {
			return reconcile.TerminalError(fmt.Errorf("starting job %s: another one has its name", client.ObjectKeyFromObject(job)))
		}
		return nil
	case loop.NamespaceGone(err):
		return reconcile.TerminalError(err)
	}
	r.recorder.Eventf(c, nil, corev1.EventTypeWarning, "FailedCreate", "Create", "Error creating job: %v", err)
	return fmt.Errorf("starting job %s: %w", client.ObjectKeyFromObject(job), err)
}

func (r *controller) writeStatus(ctx context.Context, c *batchv1.CronJob, status batchv1.CronJobStatus) error {
	if apiequality.Semantic.DeepEqual(status, c.Status) {
		return nil
	}
	changed := c.DeepCopy()
	changed.Status = status
	return client.IgnoreNotFound(r.client.Status().Update(ctx, changed))
}
