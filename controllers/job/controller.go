// Package job runs the Pods of each Job until enough of them have succeeded.
package job

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/controllers/owned"
	"github.com/coracle-k8s/coracle/controllers/podset"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "job-controller"

	workers = 5

	// manager is who runs a job that names nobody.
	managerName = batchv1.JobControllerName

	indexVariable = "JOB_COMPLETION_INDEX"

	// longestGenerateName is what the API server does not cut.
	longestGenerateName = 58
)

var kind = batchv1.SchemeGroupVersion.WithKind("Job")

type controller struct {
	client   client.Client
	pods     podset.Control
	recorder events.EventRecorder
	now      func() time.Time

	lock     sync.Mutex
	backoffs map[types.NamespacedName]backoff
}

// Register puts the controller on the manager. It wakes for Jobs, for their Pods, and when a job's time or pause is
// over. c's writes must be seen (package seen), owned's indexes be there.
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder) error {
	r := &controller{
		client: c, pods: podset.Control{Client: c, Recorder: recorder}, recorder: recorder, now: time.Now,
		backoffs: map[types.NamespacedName]backoff{},
	}
	return errors.Join(
		loop.New(mgr, Name, workers).
			For(&batchv1.Job{}).
			Watches(&corev1.Pod{}, owned.Wake(kind.Kind, r.adopters)).
			Complete(loop.Contained(Name, r)),
		registerOrphans(mgr, c),
	)
}

func (r *controller) adopters(ctx context.Context, pod client.Object) []reconcile.Request {
	var jobs batchv1.JobList
	if err := r.client.List(ctx, &jobs, client.InNamespace(pod.GetNamespace())); err != nil {
		return nil
	}
	return owned.Selecting(jobs.Items, pod, func(j *batchv1.Job) *metav1.LabelSelector { return j.Spec.Selector })
}

// Reconcile implements reconcile.Reconciler.
func (r *controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	var job batchv1.Job
	err := r.client.Get(ctx, request.NamespacedName, &job)
	if apierrors.IsNotFound(err) {
		r.forget(request.NamespacedName)
		return reconcile.Result{}, nil
	}
	if err != nil || ptr.Deref(job.Spec.ManagedBy, managerName) != managerName {
		return reconcile.Result{}, err
	}
	pods, err := r.podsOf(ctx, &job)
	if err != nil {
		return reconcile.Result{}, err
	}
	if isFinished(&job) {
		r.forget(request.NamespacedName)
		return reconcile.Result{}, release(ctx, r.client, pods)
	}
	p := decide(&job, pods, r.backoffOf(request.NamespacedName), r.now())
	failure := r.carryOut(ctx, &job, p)
	if err := r.writeStatus(ctx, &job, p.status); err != nil {
		return reconcile.Result{}, errors.Join(failure, err)
	}
	r.remember(request.NamespacedName, p.backoff)
	for _, a := range p.tell {
		r.recorder.Eventf(&job, nil, a.kind, a.reason, "Run", "%s", a.note)
	}
	return reconcile.Result{RequeueAfter: p.again}, errors.Join(failure, release(ctx, r.client, p.release))
}

func (r *controller) backoffOf(job types.NamespacedName) backoff {
	r.lock.Lock()
	defer r.lock.Unlock()
	return r.backoffs[job]
}

func (r *controller) remember(job types.NamespacedName, b backoff) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.backoffs[job] = b
}

func (r *controller) forget(job types.NamespacedName) {
	r.lock.Lock()
	defer r.lock.Unlock()
	delete(r.backoffs, job)
}

func (r *controller) podsOf(ctx context.Context, job *batchv1.Job) ([]*corev1.Pod, error) {
	selector, err := metav1.LabelSelectorAsSelector(job.Spec.Selector)
	if err != nil {
		return nil, reconcile.TerminalError(fmt.Errorf("reading the selector of %s: %w", client.ObjectKeyFromObject(job), err))
	}
	var mine, orphans corev1.PodList
	err = errors.Join(owned.List(ctx, r.client, &mine, job), owned.Orphans(ctx, r.client, &orphans, job.Namespace))
	if err != nil {
		return nil, fmt.Errorf("listing pods of %s: %w", client.ObjectKeyFromObject(job), err)
	}
	candidates := append(podset.Pointers(mine.Items), podset.Pointers(orphans.Items)...)
	return owned.Claim(ctx, r.client, job, kind, selector, candidates, batchv1.JobTrackingFinalizer)
}

func (r *controller) carryOut(ctx context.Context, job *batchv1.Job, p plan) error {
	next := make(chan int, len(p.create))
	for _, index := range p.create {
		next <- index
	}
	_, err := podset.InBatches(len(p.create), func() error {
		index := <-next
		pod := podFor(job, index)
		succeed(job, pod, p.replaces[index])
		_, err := r.pods.Create(ctx, job, pod)
		return err
	})
	unheld := release(ctx, r.client, p.discard) // or they would count as failed
	if unheld == nil {
		p.remove = slices.Concat(p.remove, p.discard)
	}
	failures := podset.Together(len(p.remove), func(i int) error { return r.pods.Delete(ctx, job, p.remove[i]) })
	return errors.Join(err, unheld, errors.Join(failures[:min(1, len(failures))]...))
}

// podFor makes a Pod of the job, with an index unless that is noIndex.
//
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode
func podFor(job *batchv1.Job, index int) *corev1.Pod {
	pod := podset.FromTemplate(&job.Spec.Template, job, kind)
	if !hasFinalizer(pod) {
		pod.Finalizers = append(pod.Finalizers, batchv1.JobTrackingFinalizer)
	}
	if index == noIndex {
		return pod
	}
	number := strconv.Itoa(index)
	metav1.SetMetaDataAnnotation(&pod.ObjectMeta, batchv1.JobCompletionIndexAnnotation, number)
	metav1.SetMetaDataLabel(&pod.ObjectMeta, batchv1.JobCompletionIndexAnnotation, number)
	pod.GenerateName = generateName(job.Name, number)
	pod.Spec.Hostname = fmt.Sprintf("%s-%d", job.Name, index)
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			has := func(v corev1.EnvVar) bool { return v.Name == indexVariable }
			if !slices.ContainsFunc(containers[i].Env, has) {
				containers[i].Env = append(containers[i].Env, corev1.EnvVar{Name: indexVariable, ValueFrom: &corev1.EnvVarSource{
					FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels['" + batchv1.JobCompletionIndexAnnotation + "']"},
				}})
			}
		}
	}
	return pod
}

// generateName keeps the index readable where the job's name is long.
func generateName(job, index string) string {
	suffix := "-" + index + "-"
	return job[:min(len(job), longestGenerateName-len(suffix))] + suffix
}

func (r *controller) writeStatus(ctx context.Context, job *batchv1.Job, status batchv1.JobStatus) error {
	if apiequality.Semantic.DeepEqual(status, job.Status) {
		return nil
	}
	changed := job.DeepCopy()
	changed.Status = status
	if err := r.client.Status().Update(ctx, changed); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing the status of %s: %w", client.ObjectKeyFromObject(job), err)
	}
	return nil
}

// release takes the finalizer off the Pods.
func release(ctx context.Context, c client.Client, pods []*corev1.Pod) error {
	held := slices.DeleteFunc(slices.Clone(pods), func(pod *corev1.Pod) bool { return !hasFinalizer(pod) })
	return errors.Join(podset.Together(len(held), func(i int) error {
		changed := held[i].DeepCopy()
		changed.Finalizers = slices.DeleteFunc(changed.Finalizers, func(f string) bool { return f == batchv1.JobTrackingFinalizer })
		if err := c.Patch(ctx, changed, client.StrategicMergeFrom(held[i])); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("releasing pod %s: %w", client.ObjectKeyFromObject(changed), err)
		}
		return nil
	})...)
}
