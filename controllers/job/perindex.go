package job

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/controllers/podset"
)

// limitsEachIndex reports whether the failures of each index are counted on their own. A Pod then says in an annotation
// how often its index failed before it, so a failed Pod is kept until its successor exists.
//
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#backoff-limit-per-index
func limitsEachIndex(job *batchv1.Job) bool {
	return isIndexed(job) && job.Spec.BackoffLimitPerIndex != nil
}

// takeIndexes notes which indexes have succeeded and failed, and which Pods wait for their successors.
func (t *tally) takeIndexes(job *batchv1.Job, held []*corev1.Pod) {
	t.succeeded = parseIndexes(t.status.CompletedIndexes, completions(job))
	t.failed = parseIndexes(ptr.Deref(t.status.FailedIndexes, ""), completions(job))
	for _, pod := range held {
		switch {
		case !hasIndex(job, pod) || job.DeletionTimestamp != nil:
		case pod.Status.Phase == corev1.PodSucceeded:
			t.succeeded = append(t.succeeded, indexOf(pod))
		case limitsEachIndex(job) && isFailed(job, pod) && endsIndex(job, pod):
			t.failed = append(t.failed, indexOf(pod))
		}
	}
	t.succeeded, t.failed = inOrder(t.succeeded), inOrder(t.failed)
	t.status.CompletedIndexes = formatIndexes(t.succeeded)
	t.status.Succeeded = int32(len(t.succeeded))
	if limitsEachIndex(job) {
		t.status.FailedIndexes = ptr.To(formatIndexes(t.failed))
		t.keep(job, held)
	}
}

func inOrder(indexes []int) []int {
	slices.Sort(indexes)
	return slices.Compact(indexes)
}

// endsIndex reports whether the failed Pod's index is not tried again.
func endsIndex(job *batchv1.Job, pod *corev1.Pod) bool {
	v := judgeFailure(job.Spec.PodFailurePolicy, pod)
	return v.index || v.counts && failuresBefore(pod, batchv1.JobIndexFailureCountAnnotation) >= *job.Spec.BackoffLimitPerIndex
}

// keep picks the last failed Pod of each index that is to be tried again and has no successor. It judges them too, as
// they are not taken yet.
func (t *tally) keep(job *batchv1.Job, held []*corev1.Pod) {
	if job.DeletionTimestamp != nil {
		return
	}
	settled := indexSet(slices.Concat(t.succeeded, t.failed))
	for _, pod := range t.active {
		settled[indexOf(pod)] = true
	}
	t.kept = map[int]*corev1.Pod{}
	for _, pod := range held {
		i := indexOf(pod)
		if !hasIndex(job, pod) || settled[i] || !isFailed(job, pod) {
			continue
		}
		if other := t.kept[i]; other == nil || later(pod, other) {
			t.kept[i] = pod
		}
		if v := judgeFailure(job.Spec.PodFailurePolicy, pod); v.fatal != "" {
			t.fatal = v.fatal
		}
	}
}

func later(pod, than *corev1.Pod) bool {
	return allFailuresBefore(pod) >= allFailuresBefore(than) && !ended(pod).Before(ended(than))
}

// letGo counts the kept Pods: no successors will come.
func (t *tally) letGo(job *batchv1.Job) {
	kept := t.kept
	t.kept = nil
	for _, i := range slices.Sorted(maps.Keys(kept)) {
		t.take(job, kept[i])
	}
}

func indexSet(indexes []int) map[int]bool {
	set := make(map[int]bool, len(indexes))
	for _, i := range indexes {
		set[i] = true
	}
	return set
}

// startable are those of the pending indexes whose pause is over; left is how long the shortest pause of the others is.
func (t *tally) startable(pending []int, now time.Time) (ready []int, left time.Duration) {
	for _, i := range pending {
		var pause time.Duration
		if last := t.kept[i]; last != nil {
			pause = backoff{failures: int(allFailuresBefore(last)) + 1, last: ended(last)}.left(now)
		}
		switch {
		case pause == 0:
			ready = append(ready, i)
		case left == 0 || pause < left:
			left = pause
		}
	}
	return ready, left
}

// succeed notes on a Pod how often its index has failed; predecessor is nil for an index's first.
func succeed(job *batchv1.Job, pod, predecessor *corev1.Pod) {
	if !limitsEachIndex(job) {
		return
	}
	var counted, ignored int32
	if predecessor != nil {
		counted = failuresBefore(predecessor, batchv1.JobIndexFailureCountAnnotation)
		ignored = failuresBefore(predecessor, batchv1.JobIndexIgnoredFailureCountAnnotation)
		if judgeFailure(job.Spec.PodFailurePolicy, predecessor).counts {
			counted++
		} else {
			ignored++
		}
	}
	metav1.SetMetaDataAnnotation(&pod.ObjectMeta, batchv1.JobIndexFailureCountAnnotation, strconv.Itoa(int(counted)))
	if ignored > 0 {
		metav1.SetMetaDataAnnotation(&pod.ObjectMeta, batchv1.JobIndexIgnoredFailureCountAnnotation, strconv.Itoa(int(ignored)))
	}
}

func allFailuresBefore(pod *corev1.Pod) int32 {
	return failuresBefore(pod, batchv1.JobIndexFailureCountAnnotation) + failuresBefore(pod, batchv1.JobIndexIgnoredFailureCountAnnotation)
}

// failuresBefore is zero where the annotation is missing, or says what we never wrote.
func failuresBefore(pod *corev1.Pod, annotation string) int32 {
	n, err := strconv.Atoi(pod.Annotations[annotation])
	if err != nil || n < 0 || n >= math.MaxInt32/2 {
		return 0
	}
	return int32(n)
}

// misplaced are active Pods without a proper index, and all but one of those that share one.
func misplaced(job *batchv1.Job, active []*corev1.Pod, now time.Time) (wrong, rest []*corev1.Pod) {
	if !isIndexed(job) {
		return nil, active
	}
	sharing := map[int][]*corev1.Pod{}
	for _, pod := range active {
		if hasIndex(job, pod) {
			sharing[indexOf(pod)] = append(sharing[indexOf(pod)], pod)
		} else {
			wrong = append(wrong, pod)
		}
	}
	for _, i := range slices.Sorted(maps.Keys(sharing)) {
		wrong = append(wrong, podset.Victims(sharing[i], sharing[i], len(sharing[i])-1, now)...)
	}
	for _, pod := range active {
		if !slices.Contains(wrong, pod) {
			rest = append(rest, pod)
		}
	}
	return wrong, rest
}
