package controllers_test

import (
	"errors"
	"fmt"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// startJob makes a job of one Pod that must not fail, and waits for the Pod.
func startJob(t *testing.T, ns string) (*batchv1.Job, *corev1.Pod) {
	t.Helper()
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "j"},
		Spec:       batchv1.JobSpec{BackoffLimit: ptr.To[int32](0), Template: template()},
	}
	job.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	create(t, job)
	isActive(t, job)
	return job, &list(t, &corev1.PodList{}, ns).Items[0]
}

func isActive(t *testing.T, job *batchv1.Job) {
	t.Helper()
	eventually(t, job, func() error {
		if job.Status.Active != 1 {
			return fmt.Errorf("status %+v", job.Status)
		}
		return nil
	})
}

// isFree waits until no job has a hold on the Pod.
func isFree(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	eventually(t, pod, func() error {
		if len(pod.Finalizers)+len(pod.OwnerReferences) > 0 {
			return fmt.Errorf("finalizers %v, owners %v", pod.Finalizers, pod.OwnerReferences)
		}
		return nil
	})
}

func TestJobLetsGoOfPodsThatItDoesNotSelect(t *testing.T) {
	_, pod := startJob(t, namespace(t))
	change(t, pod, update, func(p *corev1.Pod) { p.Labels = nil })
	isFree(t, pod)
}

func TestDeletedJobLetsGoOfItsOrphans(t *testing.T) {
	job, pod := startJob(t, namespace(t))
	if err := admin.Delete(t.Context(), job, client.PropagationPolicy(metav1.DeletePropagationOrphan)); err != nil {
		t.Fatal(err)
	}
	isFree(t, pod)
}

func TestJobCountsPodsThatItAdopts(t *testing.T) {
	ns := namespace(t)
	job, pod := startJob(t, ns)
	change(t, pod, update, func(p *corev1.Pod) { p.OwnerReferences, p.Finalizers = nil, nil })
	eventually(t, pod, func() error {
		if len(pod.Finalizers) != 1 || !metav1.IsControlledBy(pod, job) {
			return fmt.Errorf("finalizers %v, owners %v", pod.Finalizers, pod.OwnerReferences)
		}
		return nil
	})
}

func TestSuspendingAJobIsNoFailure(t *testing.T) {
	ns := namespace(t)
	job, pod := startJob(t, ns)
	change(t, job, update, func(j *batchv1.Job) { j.Spec.Suspend = ptr.To(true) })
	gone(t, pod)
	change(t, job, update, func(j *batchv1.Job) { j.Spec.Suspend = ptr.To(false) })
	isActive(t, job)
	if job.Status.Failed != 0 {
		t.Errorf("status %+v", job.Status)
	}
}

func TestJobGoesOnWhereAnIndexFailed(t *testing.T) {
	ns := namespace(t)
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "j"},
		Spec: batchv1.JobSpec{
			CompletionMode: ptr.To(batchv1.IndexedCompletion), Completions: ptr.To[int32](2), Parallelism: ptr.To[int32](1),
			BackoffLimitPerIndex: ptr.To[int32](0), Template: template(),
		},
	}
	job.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	create(t, job)
	eventually(t, job, func() error {
		phase := corev1.PodFailed
		if ptr.Deref(job.Status.FailedIndexes, "") != "" {
			phase = corev1.PodSucceeded
		}
		for _, pod := range list(t, &corev1.PodList{}, ns).Items {
			if pod.Spec.NodeName == "" {
				bind(t, &pod, "worker")
			} else if pod.Status.Phase == corev1.PodPending {
				pod.Status.Phase = phase
				_ = admin.Status().Update(t.Context(), &pod)
			}
		}
		if job.Status.CompletedIndexes != "1" || ptr.Deref(job.Status.FailedIndexes, "") != "0" {
			return errors.New("not done: " + job.Status.String())
		}
		return nil
	})
}
