package job

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

type option func(*batchv1.Job)

func job(completions, parallelism int32, options ...option) *batchv1.Job {
	j := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "j", UID: "j"},
		Spec:       batchv1.JobSpec{Completions: &completions, Parallelism: &parallelism, BackoffLimit: ptr.To[int32](2)},
	}
	for _, o := range options {
		o(j)
	}
	return j
}

func indexed(j *batchv1.Job)    { j.Spec.CompletionMode = ptr.To(batchv1.IndexedCompletion) }
func suspended(j *batchv1.Job)  { j.Spec.Suspend = ptr.To(true) }
func anySuccess(j *batchv1.Job) { j.Spec.Completions = nil }
func onlyFailed(j *batchv1.Job) { j.Spec.PodReplacementPolicy = ptr.To(batchv1.Failed) }
func failed(n int32) option     { return func(j *batchv1.Job) { j.Status.Failed = n } }
func succeeded(n int32) option  { return func(j *batchv1.Job) { j.Status.Succeeded = n } }
func heading(kind batchv1.JobConditionType) option {
	return func(j *batchv1.Job) {
		j.Status.Conditions = []batchv1.JobCondition{{Type: kind, Status: corev1.ConditionTrue, Reason: "Because", Message: "why"}}
	}
}
func deadline(seconds int64, ago time.Duration) option {
	return func(j *batchv1.Job) {
		j.Spec.ActiveDeadlineSeconds, j.Status.StartTime = &seconds, &metav1.Time{Time: now.Add(-ago)}
	}
}
func ignoring(j *batchv1.Job) {
	j.Spec.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
		Action: batchv1.PodFailurePolicyActionIgnore, OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}},
	}, {
		Action: batchv1.PodFailurePolicyActionFailJob, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: []int32{42}},
	}}}
}

// pod is described in words: name, phase, then "index=N", "deleted", "released", "disrupted", "exit42".
func pod(words string) *corev1.Pod {
	fields := strings.Fields(words)
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fields[0], UID: types.UID(fields[0]), Finalizers: []string{batchv1.JobTrackingFinalizer}}}
	p.Status.Phase = corev1.PodPhase(fields[1])
	for _, word := range fields[2:] {
		switch {
		case strings.HasPrefix(word, "index="):
			metav1.SetMetaDataAnnotation(&p.ObjectMeta, batchv1.JobCompletionIndexAnnotation, word[6:])
		case word == "deleted":
			p.DeletionTimestamp = &metav1.Time{Time: now}
		case word == "released":
			p.Finalizers = nil
		case word == "disrupted":
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}}
		case word == "exit42":
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "c", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 42}}}}
		}
	}
	return p
}

func pods(descriptions ...string) []*corev1.Pod {
	var all []*corev1.Pod
	for _, d := range descriptions {
		all = append(all, pod(d))
	}
	return all
}

func steps(p plan) string {
	var words []string
	for _, i := range p.create {
		words = append(words, strings.ReplaceAll(fmt.Sprintf("create %d", i), " -1", ""))
	}
	for _, pod := range p.remove {
		words = append(words, "remove "+pod.Name)
	}
	for _, pod := range p.release {
		words = append(words, "release "+pod.Name)
	}
	for _, c := range p.status.Conditions {
		if c.Status == corev1.ConditionTrue {
			words = append(words, string(c.Type))
		}
	}
	return strings.Join(words, ", ")
}

func TestDecide(t *testing.T) {
	for name, test := range map[string]struct {
		job  *batchv1.Job
		pods []*corev1.Pod
		want string
	}{
		"starts as many as may run":  {job(5, 2), nil, "create, create"},
		"no more than are missing":   {job(5, 3, succeeded(4)), nil, "create"},
		"counts, then releases":      {job(2, 1), pods("a Succeeded"), "create, release a"},
		"a failure is tried again":   {job(1, 1), pods("a Failed"), "release a"},
		"too many failures":          {job(1, 1, failed(2)), pods("a Failed", "b Running"), "remove b, release a, FailureTarget"},
		"failed when all is counted": {job(1, 1, failed(3), heading(batchv1.JobFailureTarget)), pods("a Failed released"), "FailureTarget, Failed"},
		"not while one is ending":    {job(1, 1, failed(3), heading(batchv1.JobFailureTarget)), pods("a Running deleted released"), "FailureTarget"},
		"succeeds":                   {job(1, 1, succeeded(1)), pods("a Succeeded released"), "SuccessCriteriaMet, Complete"},
		"not before it is counted":   {job(1, 1), pods("a Succeeded"), "release a, SuccessCriteriaMet"},
		"one success is enough":      {job(0, 3, anySuccess), pods("a Succeeded", "b Running"), "release a"},
		"too many run":               {job(5, 1), pods("a Running", "b Pending"), "remove b"},
		"suspended":                  {job(5, 2, suspended), pods("a Running"), "remove a, Suspended"},
		"time is over":               {job(5, 2, deadline(60, time.Minute)), pods("a Running"), "remove a, FailureTarget"},
		"lowest indexes first":       {job(5, 2, indexed), pods("a Succeeded index=0", "b Running index=2"), "create 1, release a"},
		"an index succeeds once":     {job(2, 2, indexed), pods("a Succeeded index=0", "b Succeeded index=0"), "create 1, release a, release b"},
		"a deleted one has failed":   {job(1, 1), pods("a Running deleted"), "release a"},
		"unless its end is awaited":  {job(1, 1, onlyFailed), pods("a Running deleted"), ""},
		"a failure that is ignored":  {job(1, 1, ignoring, failed(2)), pods("a Failed disrupted"), "create, release a"},
		"a failure that is fatal":    {job(1, 1, ignoring), pods("a Failed exit42"), "release a, FailureTarget"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := steps(decide(test.job, test.pods, backoff{}, now)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// Whatever happens between two steps, each Pod is counted once.
func TestEachPodIsCountedOnce(t *testing.T) {
	j := job(3, 3)
	all := pods("a Succeeded", "b Failed", "c Running")
	for step := range 6 {
		p := decide(j, all, backoff{}, now)
		j.Status = p.status
		if step%2 == 0 {
			continue // the releases failed
		}
		for _, released := range p.release {
			released.Finalizers = nil
		}
		if step > 2 {
			all = slices.DeleteFunc(all, func(p *corev1.Pod) bool { return !hasFinalizer(p) })
		}
	}
	if j.Status.Succeeded != 1 || j.Status.Failed != 1 || j.Status.Active != 1 {
		t.Errorf("succeeded %d, failed %d, active %d; want one each", j.Status.Succeeded, j.Status.Failed, j.Status.Active)
	}
}

func TestBackoffGrowsWithFailuresInARow(t *testing.T) {
	b := backoff{}
	for _, want := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second} {
		b = b.next(tally{failedNow: pods("a Failed")}, now)
		if got := b.left(now); got != want {
			t.Errorf("after %d failures %s, want %s", b.failures, got, want)
		}
	}
	if b = b.next(tally{succeededNow: 1}, now); b.left(now) != 0 {
		t.Errorf("%s after a success, want none", b.left(now))
	}
}

func TestIndexes(t *testing.T) {
	for text, want := range map[string][]int{"": nil, "1": {1}, "1,2": {1, 2}, "0-2,4": {0, 1, 2, 4}, "1,3-5,7,8": {1, 3, 4, 5, 7, 8}} {
		got := parseIndexes(text, 9)
		if !slices.Equal(got, want) || formatIndexes(got) != text {
			t.Errorf("%q is %v and back %q", text, got, formatIndexes(got))
		}
	}
}
