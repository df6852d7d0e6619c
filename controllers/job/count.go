package job

import (
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/apis/core"
)

// tally is what the Pods of a job come to.
//
// Each finished Pod is counted exactly once, although it may be deleted at any time: its finalizer keeps it until its UID
// stands among the uncounted in the job's status; once the finalizer is off, the UID is replaced by a number.
type tally struct {
	status batchv1.JobStatus
	// release are Pods whose finalizer may go as soon as the status is written.
	release []*corev1.Pod
	active  []*corev1.Pod
	// terminating are being deleted and not finished.
	terminating []*corev1.Pod
	// succeeded and failed are the completion indexes of a job that has some.
	succeeded, failed []int
	// kept are failed Pods, by index, that stay uncounted until their successors exist.
	kept map[int]*corev1.Pod
	// fatal is why one failure ends the job.
	fatal string
	// failedNow and succeededNow finished since the last count, whether they count or not.
	failedNow, succeededNow []*corev1.Pod
}

func hasFinalizer(pod *corev1.Pod) bool {
	return slices.Contains(pod.Finalizers, batchv1.JobTrackingFinalizer)
}

// count takes stock of a job's Pods.
func count(job *batchv1.Job, pods []*corev1.Pod) tally {
	t := tally{status: *job.Status.DeepCopy()}
	if t.status.UncountedTerminatedPods == nil {
		t.status.UncountedTerminatedPods = &batchv1.UncountedTerminatedPods{}
	}
	t.settle(pods)
	var held []*corev1.Pod
	for _, pod := range pods {
		t.classify(pod)
		if hasFinalizer(pod) {
			held = append(held, pod)
		}
	}
	if isIndexed(job) {
		t.takeIndexes(job, held)
	}
	for _, pod := range held {
		if i := indexOf(pod); i == noIndex || t.kept[i] != pod {
			t.take(job, pod)
		}
	}
	return t
}

// settle replaces UIDs of Pods that are released by numbers.
func (t *tally) settle(pods []*corev1.Pod) {
	held := map[types.UID]bool{}
	for _, pod := range pods {
		held[pod.UID] = hasFinalizer(pod)
	}
	uncounted := t.status.UncountedTerminatedPods
	counted := func(uids []types.UID, n *int32) []types.UID {
		return slices.DeleteFunc(uids, func(uid types.UID) bool {
			if !held[uid] {
				*n++
			}
			return !held[uid]
		})
	}
	uncounted.Succeeded = counted(uncounted.Succeeded, &t.status.Succeeded)
	uncounted.Failed = counted(uncounted.Failed, &t.status.Failed)
}

func (t *tally) classify(pod *corev1.Pod) {
	switch {
	case core.PodTerminal(pod):
	case pod.DeletionTimestamp != nil:
		t.terminating = append(t.terminating, pod)
	default:
		t.active = append(t.active, pod)
	}
}

// take counts a Pod that is finished, or counts as such.
func (t *tally) take(job *batchv1.Job, pod *corev1.Pod) {
	uncounted := t.status.UncountedTerminatedPods
	known := slices.Contains(uncounted.Succeeded, pod.UID) || slices.Contains(uncounted.Failed, pod.UID)
	switch {
	case known || job.DeletionTimestamp != nil:
	case pod.Status.Phase != corev1.PodSucceeded && !isFailed(job, pod):
		return
	case isIndexed(job) && !hasIndex(job, pod):
	case pod.Status.Phase == corev1.PodSucceeded:
		t.succeededNow = append(t.succeededNow, pod)
		if !isIndexed(job) {
			uncounted.Succeeded = append(uncounted.Succeeded, pod.UID)
		}
	default:
		t.takeFailed(job, pod)
	}
	t.release = append(t.release, pod)
}

func (t *tally) takeFailed(job *batchv1.Job, pod *corev1.Pod) {
	v := judgeFailure(job.Spec.PodFailurePolicy, pod)
	if v.fatal != "" && t.fatal == "" {
		t.fatal = v.fatal
	}
	if v.counts {
		t.status.UncountedTerminatedPods.Failed = append(t.status.UncountedTerminatedPods.Failed, pod.UID)
	}
	t.failedNow = append(t.failedNow, pod)
}

// isFailed: a Pod that is being deleted has failed, unless its successor must wait until it has ended.
func isFailed(job *batchv1.Job, pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodFailed ||
		pod.DeletionTimestamp != nil && pod.Status.Phase != corev1.PodSucceeded && !replacesOnlyFailed(job)
}

func replacesOnlyFailed(job *batchv1.Job) bool {
	return job.Spec.PodReplacementPolicy != nil && *job.Spec.PodReplacementPolicy == batchv1.Failed
}

// completions is zero for a job that any success ends.
func completions(job *batchv1.Job) int {
	if job.Spec.Completions == nil {
		return 0
	}
	return int(*job.Spec.Completions)
}

func (t *tally) totalSucceeded(job *batchv1.Job) int {
	if isIndexed(job) {
		return len(t.succeeded)
	}
	return int(t.status.Succeeded) + len(t.status.UncountedTerminatedPods.Succeeded)
}

// totalFailed counts what is kept as well.
func (t *tally) totalFailed(job *batchv1.Job) int32 {
	total := t.status.Failed + int32(len(t.status.UncountedTerminatedPods.Failed))
	for _, pod := range t.kept {
		if judgeFailure(job.Spec.PodFailurePolicy, pod).counts {
			total++
		}
	}
	return total
}
