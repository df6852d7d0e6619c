package job

import (
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/controllers/podset"
)

// plan is what one reconciliation does: create or remove Pods, write the status, then release finished Pods.
type plan struct {
	// create are the indexes of Pods to create; noIndex for Pods without.
	create []int
	// replaces are the failed Pods whose successors some of these are.
	replaces map[int]*corev1.Pod
	// remove ends Pods that then count as failed, discard such that never count.
	remove, discard []*corev1.Pod
	release         []*corev1.Pod
	status          batchv1.JobStatus
	backoff         backoff
	// again is when something is due by the clock; zero for never.
	again time.Duration
	// tell are Events, by reason and message.
	tell []announcement
}

type announcement struct{ kind, reason, note string }

// decide plans the next step of a job that is not finished.
func decide(job *batchv1.Job, pods []*corev1.Pod, b backoff, now time.Time) plan {
	t := count(job, pods)
	p := plan{release: t.release, backoff: b.next(t), replaces: t.kept}
	suspended := ptr.Deref(job.Spec.Suspend, false)
	if t.status.StartTime == nil && !suspended {
		t.status.StartTime = &metav1.Time{Time: now}
	}
	target := p.outcome(job, &t, now)
	switch {
	case target != nil:
		if target.Type == batchv1.JobFailureTarget {
			p.remove = t.active
		} else {
			p.discard = t.active
		}
		t.letGo(job)
		p.finish(&t, target, now)
	case job.DeletionTimestamp != nil:
	case suspended:
		p.discard = t.active
		p.suspend(&t, now)
	default:
		p.resume(&t, now)
		p.adjust(job, &t, now)
	}
	p.report(&t)
	return p
}

// report counts the Pods as they will be when the plan is carried out.
func (p *plan) report(t *tally) {
	going := slices.Concat(p.remove, p.discard)
	var ready int32
	for _, pod := range t.active {
		if core.PodReady(pod) && !slices.Contains(going, pod) {
			ready++
		}
	}
	t.status.Active = int32(len(t.active) - len(going))
	t.status.Ready = &ready
	t.status.Terminating = ptr.To(int32(len(t.terminating) + len(going)))
	p.status = t.status
	p.bound()
}

// mostUncounted is how many Pods a status names at most: it must fit into an object, however many Pods end while nobody
// counts.
const mostUncounted = 500

// bound leaves Pods for the next time that are too many to be written down now. They keep their finalizers.
func (p *plan) bound() {
	uncounted := p.status.UncountedTerminatedPods
	succeeded := min(len(uncounted.Succeeded), mostUncounted)
	failed := min(len(uncounted.Failed), mostUncounted-succeeded)
	later := sets.New(uncounted.Succeeded[succeeded:]...).Insert(uncounted.Failed[failed:]...)
	if len(later) == 0 {
		return
	}
	p.status.UncountedTerminatedPods = &batchv1.UncountedTerminatedPods{
		Succeeded: uncounted.Succeeded[:succeeded], Failed: uncounted.Failed[:failed],
	}
	p.release = slices.DeleteFunc(slices.Clone(p.release), func(pod *corev1.Pod) bool { return later.Has(pod.UID) })
}

// outcome returns the condition that a job is heading for: SuccessCriteriaMet or FailureTarget. Nil if it goes on.
func (p *plan) outcome(job *batchv1.Job, t *tally, now time.Time) *batchv1.JobCondition {
	for _, kind := range []batchv1.JobConditionType{batchv1.JobSuccessCriteriaMet, batchv1.JobFailureTarget} {
		if c := condition(&t.status, kind); c != nil {
			return c
		}
	}
	fail := func(reason, message string) *batchv1.JobCondition {
		return newCondition(batchv1.JobFailureTarget, reason, message, now)
	}
	all := completions(job)
	switch {
	case t.fatal != "":
		return fail(batchv1.JobReasonPodFailurePolicy, t.fatal)
	case t.totalFailed(job) > ptr.Deref(job.Spec.BackoffLimit, 6) || restartedTooOften(job, t.active):
		return fail(batchv1.JobReasonBackoffLimitExceeded, "Job has reached the specified backoff limit")
	case p.deadline(job, t, now):
		return fail(batchv1.JobReasonDeadlineExceeded, "Job was active longer than specified deadline")
	case job.Spec.MaxFailedIndexes != nil && len(t.failed) > int(*job.Spec.MaxFailedIndexes):
		return fail(batchv1.JobReasonMaxFailedIndexesExceeded, "Job has exceeded the specified maximal number of failed indexes")
	case len(t.failed) > 0 && len(t.failed)+len(t.succeeded) >= all:
		return fail(batchv1.JobReasonFailedIndexes, "Job has failed indexes")
	}
	if message, met := metBy(job.Spec.SuccessPolicy, t.succeeded, all); met && isIndexed(job) {
		return newCondition(batchv1.JobSuccessCriteriaMet, batchv1.JobReasonSuccessPolicy, message, now)
	}
	done := t.totalSucceeded(job) >= all
	if job.Spec.Completions == nil {
		done = t.totalSucceeded(job) > 0
	}
	if done && len(t.active) == 0 {
		return newCondition(batchv1.JobSuccessCriteriaMet, batchv1.JobReasonCompletionsReached, "Reached expected number of succeeded pods", now)
	}
	return nil
}

// deadline reports whether the job's time is over, or else sees to it that it is looked at then.
func (p *plan) deadline(job *batchv1.Job, t *tally, now time.Time) bool {
	if job.Spec.ActiveDeadlineSeconds == nil || t.status.StartTime == nil || ptr.Deref(job.Spec.Suspend, false) {
		return false
	}
	left := t.status.StartTime.Add(time.Duration(*job.Spec.ActiveDeadlineSeconds) * time.Second).Sub(now)
	if left <= 0 {
		return true
	}
	p.later(left)
	return false
}

func (p *plan) later(left time.Duration) {
	if left > 0 && (p.again == 0 || left < p.again) {
		p.again = left
	}
}

// restartedTooOften: containers that are restarted in their Pods count as failures there.
func restartedTooOften(job *batchv1.Job, active []*corev1.Pod) bool {
	if job.Spec.Template.Spec.RestartPolicy != corev1.RestartPolicyOnFailure {
		return false
	}
	var restarts int32
	for _, pod := range active {
		for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			restarts += status.RestartCount
		}
	}
	limit := ptr.Deref(job.Spec.BackoffLimit, 6)
	if limit == 0 {
		return restarts > 0
	}
	return restarts >= limit
}

// finish writes down what the job is heading for, and that it is there when no Pod is left and all are counted.
func (p *plan) finish(t *tally, target *batchv1.JobCondition, now time.Time) {
	p.release = slices.Clone(t.release)
	if condition(&t.status, target.Type) == nil {
		t.status.Conditions = append(t.status.Conditions, *target)
	}
	uncounted := t.status.UncountedTerminatedPods
	if len(t.active)+len(t.terminating)+len(uncounted.Failed)+len(uncounted.Succeeded) > 0 {
		return
	}
	final := newCondition(batchv1.JobComplete, target.Reason, target.Message, now)
	event := announcement{corev1.EventTypeNormal, "Completed", "Job completed"}
	if target.Type == batchv1.JobFailureTarget {
		final.Type = batchv1.JobFailed
		event = announcement{corev1.EventTypeWarning, target.Reason, target.Message}
	} else {
		t.status.CompletionTime = &final.LastTransitionTime
	}
	t.status.Conditions = append(t.status.Conditions, *final)
	p.tell = append(p.tell, event)
}

func (p *plan) suspend(t *tally, now time.Time) {
	if setSuspended(&t.status, corev1.ConditionTrue, "JobSuspended", "Job suspended", now) {
		t.status.StartTime = nil
		p.tell = append(p.tell, announcement{corev1.EventTypeNormal, "Suspended", "Job suspended"})
	}
}

func (p *plan) resume(t *tally, now time.Time) {
	if setSuspended(&t.status, corev1.ConditionFalse, "JobResumed", "Job resumed", now) {
		t.status.StartTime = &metav1.Time{Time: now}
		p.tell = append(p.tell, announcement{corev1.EventTypeNormal, "Resumed", "Job resumed"})
	}
}

// adjust makes the number of active Pods right.
func (p *plan) adjust(job *batchv1.Job, t *tally, now time.Time) {
	active := len(t.active)
	want := int(ptr.Deref(job.Spec.Parallelism, 1))
	if job.Spec.Completions != nil {
		want = max(0, min(want, completions(job)-t.totalSucceeded(job)))
	} else if t.totalSucceeded(job) > 0 {
		want = active // one success ends it: those that run may finish
	}
	if surplus := surplus(job, t, active-want, now); len(surplus) > 0 {
		p.discard = surplus[:min(len(surplus), podset.Burst)]
		return
	}
	missing := want - active
	if replacesOnlyFailed(job) {
		missing -= len(t.terminating)
	}
	if missing <= 0 {
		return
	}
	missing = min(missing, podset.Burst)
	var left time.Duration
	switch {
	case limitsEachIndex(job):
		p.create, left = t.startable(pendingIndexes(job, t, missing), now)
	case p.backoff.left(now) > 0:
		left = p.backoff.left(now)
	case isIndexed(job):
		p.create = pendingIndexes(job, t, missing)
	default:
		p.create = slices.Repeat([]int{noIndex}, missing)
	}
	p.later(left)
}

// surplus are active Pods to do without: those that have no place, and others until there are n.
func surplus(job *batchv1.Job, t *tally, n int, now time.Time) []*corev1.Pod {
	wrong, rest := misplaced(job, t.active, now)
	if len(wrong) < n {
		return slices.Concat(wrong, podset.Victims(rest, rest, n-len(wrong), now))
	}
	return wrong
}

// pendingIndexes are the lowest that have neither succeeded nor failed for good nor a Pod.
func pendingIndexes(job *batchv1.Job, t *tally, most int) []int {
	taken := indexSet(slices.Concat(t.succeeded, t.failed))
	busy := t.active
	if replacesOnlyFailed(job) {
		busy = slices.Concat(busy, t.terminating)
	}
	for _, pod := range busy {
		taken[indexOf(pod)] = true
	}
	var pending []int
	for i := 0; i < completions(job) && len(pending) < most; i++ {
		if !taken[i] {
			pending = append(pending, i)
		}
	}
	return pending
}

// condition returns the condition if it is true, or nil.
func condition(status *batchv1.JobStatus, kind batchv1.JobConditionType) *batchv1.JobCondition {
	for i := range status.Conditions {
		if c := &status.Conditions[i]; c.Type == kind && c.Status == corev1.ConditionTrue {
			return c
		}
	}
	return nil
}

func newCondition(kind batchv1.JobConditionType, reason, message string, now time.Time) *batchv1.JobCondition {
	at := metav1.NewTime(now)
	return &batchv1.JobCondition{
		Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: message, LastProbeTime: at, LastTransitionTime: at,
	}
}

// setSuspended reports whether the condition changed. One that was never there is not made false.
func setSuspended(status *batchv1.JobStatus, to corev1.ConditionStatus, reason, message string, now time.Time) bool {
	c := newCondition(batchv1.JobSuspended, reason, message, now)
	c.Status = to
	i := slices.IndexFunc(status.Conditions, func(c batchv1.JobCondition) bool { return c.Type == batchv1.JobSuspended })
	switch {
	case i < 0 && to == corev1.ConditionFalse, i >= 0 && status.Conditions[i].Status == to:
		return false
	case i < 0:
		status.Conditions = append(status.Conditions, *c)
	default:
		status.Conditions[i] = *c
	}
	return true
}

func isFinished(job *batchv1.Job) bool {
	return condition(&job.Status, batchv1.JobComplete) != nil || condition(&job.Status, batchv1.JobFailed) != nil
}
