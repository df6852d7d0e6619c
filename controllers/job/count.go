package job

import (
	"slices"
	"time"

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
	ready       int32
	// succeeded are the completion indexes of a job that has some.
	succeeded []int
	// fatal is why one failure ends the job.
	fatal string
	// failedNow and succeededNow finished since the last count.
	failedNow    []*corev1.Pod
	succeededNow int
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
	t.succeeded = parseIndexes(t.status.CompletedIndexes, completions(job))
	t.settle(pods)
	for _, pod := range pods {
		t.classify(pod)
		if hasFinalizer(pod) {
			t.take(job, pod)
		}
	}
	if isIndexed(job) {
		slices.Sort(t.succeeded)
		t.succeeded = slices.Compact(t.succeeded)
		t.status.CompletedIndexes = formatIndexes(t.succeeded)
		t.status.Succeeded = int32(len(t.succeeded))
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
		if core.PodReady(pod) {
			t.ready++
		}
	}
}

// take counts a Pod that is finished, or counts as such.
func (t *tally) take(job *batchv1.Job, pod *corev1.Pod) {
	uncounted := t.status.UncountedTerminatedPods
	known := slices.Contains(uncounted.Succeeded, pod.UID) || slices.Contains(uncounted.Failed, pod.UID)
	switch {
	case known || job.DeletionTimestamp != nil:
	case pod.Status.Phase == corev1.PodSucceeded:
		if i := indexOf(pod); isIndexed(job) {
			if i != noIndex && i < completions(job) && !slices.Contains(t.succeeded, i) {
				t.succeeded = append(t.succeeded, i)
				t.succeededNow++
			}
			break
		}
		uncounted.Succeeded = append(uncounted.Succeeded, pod.UID)
		t.succeededNow++
	case isFailed(job, pod):
		counts, fatal := judgeFailure(job.Spec.PodFailurePolicy, pod)
		if fatal != "" && t.fatal == "" {
			t.fatal = fatal
		}
		if counts {
			uncounted.Failed = append(uncounted.Failed, pod.UID)
			t.failedNow = append(t.failedNow, pod)
		}
	default:
		return
	}
	t.release = append(t.release, pod)
}

// isFailed: a Pod that is being deleted has failed, unless its successor must wait until it has ended.
func isFailed(job *batchv1.Job, pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodFailed || pod.DeletionTimestamp != nil && !replacesOnlyFailed(job)
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

func (t *tally) totalFailed() int32 {
	return t.status.Failed + int32(len(t.status.UncountedTerminatedPods.Failed))
}

const (
	firstBackoff = 10 * time.Second
	longBackoff  = 10 * time.Minute
)

// backoff is how often a job's Pods have failed in a row, and when last.
type backoff struct {
	failures int
	last     time.Time
}

// next counts what finished since: a success ends the row.
func (b backoff) next(t tally, now time.Time) backoff {
	if t.succeededNow > 0 {
		b = backoff{}
	}
	for _, pod := range t.failedNow {
		b.failures++
		if end := finished(pod, now); end.After(b.last) {
			b.last = end
		}
	}
	return b
}

// finished is when the Pod's last container ended, as far as is known.
func finished(pod *corev1.Pod, now time.Time) time.Time {
	var latest time.Time
	for _, status := range pod.Status.ContainerStatuses {
		if exited := status.State.Terminated; exited != nil && exited.FinishedAt.After(latest) {
			latest = exited.FinishedAt.Time
		}
	}
	if latest.IsZero() {
		return now
	}
	return latest
}

// left is how long no new Pod is to be started.
func (b backoff) left(now time.Time) time.Duration {
	if b.failures == 0 {
		return 0
	}
	pause := longBackoff
	if b.failures < 8 {
		pause = min(firstBackoff<<(b.failures-1), longBackoff)
	}
	return max(0, b.last.Add(pause).Sub(now))
}
