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

func indexed(j *batchv1.Job) { j.Spec.CompletionMode = ptr.To(batchv1.IndexedCompletion) }
func firstIndexDecides(j *batchv1.Job) {
	j.Spec.SuccessPolicy = &batchv1.SuccessPolicy{Rules: []batchv1.SuccessPolicyRule{{SucceededIndexes: ptr.To("0")}}}
}
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
func perIndex(limit int32) option {
	return func(j *batchv1.Job) {
		indexed(j)
		j.Spec.BackoffLimit, j.Spec.BackoffLimitPerIndex = ptr.To[int32](1000), &limit
	}
}
func maxFailed(n int32) option { return func(j *batchv1.Job) { j.Spec.MaxFailedIndexes = &n } }
func failingIndex(j *batchv1.Job) {
	j.Spec.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
		Action: batchv1.PodFailurePolicyActionFailIndex, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: []int32{42}},
	}}}
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

// pod is described in words: name, phase, then "index=N", "deleted", "released", "disrupted", "exit42",
// "after=N" for N failures of the index before, "ago=DURATION" for its end.
func pod(words string) *corev1.Pod {
	fields := strings.Fields(words)
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fields[0], UID: types.UID(fields[0]), Finalizers: []string{batchv1.JobTrackingFinalizer}}}
	p.Status.Phase = corev1.PodPhase(fields[1])
	for _, word := range fields[2:] {
		switch {
		case strings.HasPrefix(word, "index="):
			metav1.SetMetaDataAnnotation(&p.ObjectMeta, batchv1.JobCompletionIndexAnnotation, word[6:])
		case strings.HasPrefix(word, "after="):
			metav1.SetMetaDataAnnotation(&p.ObjectMeta, batchv1.JobIndexFailureCountAnnotation, word[6:])
		case strings.HasPrefix(word, "ago="):
			ago, _ := time.ParseDuration(word[4:])
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "c", State: corev1.ContainerState{
				Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, FinishedAt: metav1.NewTime(now.Add(-ago))},
			}}}
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
		word := strings.ReplaceAll(fmt.Sprintf("create %d", i), " -1", "")
		if before := p.replaces[i]; before != nil {
			word += " after " + before.Name
		}
		words = append(words, word)
	}
	for _, pod := range p.remove {
		words = append(words, "remove "+pod.Name)
	}
	for _, pod := range p.discard {
		words = append(words, "discard "+pod.Name)
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
		"a failure is tried again":   {job(1, 1), pods("a Failed ago=1s"), "release a"},
		"too many failures":          {job(1, 1, failed(2)), pods("a Failed", "b Running"), "remove b, release a, FailureTarget"},
		"failed when all is counted": {job(1, 1, failed(3), heading(batchv1.JobFailureTarget)), pods("a Failed released"), "FailureTarget, Failed"},
		"not while one is ending":    {job(1, 1, failed(3), heading(batchv1.JobFailureTarget)), pods("a Running deleted released"), "FailureTarget"},
		"succeeds":                   {job(1, 1, succeeded(1)), pods("a Succeeded released"), "SuccessCriteriaMet, Complete"},
		"not before it is counted":   {job(1, 1), pods("a Succeeded"), "release a, SuccessCriteriaMet"},
		"one success is enough":      {job(0, 3, anySuccess), pods("a Succeeded", "b Running"), "release a"},
		"too many run":               {job(5, 1), pods("a Running", "b Pending"), "discard b"},
		"suspended":                  {job(5, 2, suspended), pods("a Running"), "discard a, Suspended"},
		"time is over":               {job(5, 2, deadline(60, time.Minute)), pods("a Running"), "remove a, FailureTarget"},
		"lowest indexes first":       {job(5, 2, indexed), pods("a Succeeded index=0", "b Running index=2"), "create 1, release a"},
		"an index succeeds once":     {job(2, 2, indexed), pods("a Succeeded index=0", "b Succeeded index=0"), "create 1, release a, release b"},
		"a deleted one has failed":   {job(1, 1), pods("a Running deleted"), "release a"},
		"unless its end is awaited":  {job(1, 1, onlyFailed), pods("a Running deleted"), ""},
		"a failure that is ignored":  {job(1, 1, ignoring, failed(2)), pods("a Failed disrupted ago=1s"), "release a"},
		"a failure that is fatal":    {job(1, 1, ignoring), pods("a Failed exit42"), "release a, FailureTarget"},
		"enough, others are stopped": {job(3, 3, indexed, firstIndexDecides), pods("a Succeeded index=0", "b Running index=1"), "discard b, release a, SuccessCriteriaMet"},
		"doubles of an index":        {job(3, 3, indexed), pods("a Running index=0", "b Pending index=0", "c Running index=1"), "discard b"},
		"an index out of range":      {job(1, 1, indexed), pods("a Running index=0", "b Running index=1", "c Running"), "discard b, discard c"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := steps(decide(test.job, test.pods, backoff{}, now)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// Each step is what the controller does, and the number of Pods and the indexes that it counts as failed.
func TestDecideByIndex(t *testing.T) {
	for name, test := range map[string]struct {
		job  *batchv1.Job
		pods []*corev1.Pod
		want string
	}{
		"kept until its pause is over":     {job(2, 2, perIndex(2)), pods("a Failed index=0 ago=9s", "b Running index=1"), "; 0 of []"},
		"and until its successor is there": {job(2, 2, perIndex(2)), pods("a Failed index=0 ago=11s", "b Running index=1"), "create 0 after a; 0 of []"},
		"then counted":                     {job(2, 2, perIndex(2)), pods("a Failed index=0", "a2 Running index=0 after=1", "b Running index=1"), "release a; 1 of []"},
		"each failure makes longer pauses": {job(2, 2, perIndex(2)), pods("a Failed index=0 after=1 ago=19s", "b Running index=1"), "; 0 of []"},
		"one pause does not hold others":   {job(2, 2, perIndex(2)), pods("a Failed index=0 ago=1s"), "create 1; 0 of []"},
		"failed too often":                 {job(2, 2, perIndex(1)), pods("a Failed index=0 after=1", "b Running index=1"), "release a; 1 of [0]"},
		"never again":                      {job(3, 3, perIndex(0)), pods("a Failed index=1"), "create 0, create 2, release a; 1 of [1]"},
		"the policy ends an index":         {job(2, 2, perIndex(3), failingIndex), pods("a Failed index=0 exit42", "b Running index=1"), "release a; 1 of [0]"},
		"too many indexes":                 {job(3, 3, perIndex(0), maxFailed(0)), pods("a Failed index=0", "b Running index=1"), "remove b, release a, FailureTarget; 1 of [0]"},
		"the end, with one failed":         {job(2, 2, perIndex(0)), pods("a Failed index=0", "b Succeeded index=1"), "release a, release b, FailureTarget; 1 of [0]"},
		"the policy ends the job":          {job(2, 2, perIndex(3), ignoring), pods("a Failed index=0 exit42"), "release a, FailureTarget; 1 of []"},
	} {
		t.Run(name, func(t *testing.T) {
			p := decide(test.job, test.pods, backoff{failures: 3, last: now}, now)
			got := steps(p) + fmt.Sprintf("; %d of [%s]", len(p.status.UncountedTerminatedPods.Failed), ptr.Deref(p.status.FailedIndexes, "none"))
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestSuccessorsSayHowOftenTheirIndexFailed(t *testing.T) {
	j := job(1, 1, perIndex(5), ignoring)
	first := podFor(j, 0)
	succeed(j, first, nil)
	second := podFor(j, 0)
	succeed(j, second, first)
	third := podFor(j, 0)
	second.Status.Conditions = pod("x Failed disrupted").Status.Conditions // ignored
	succeed(j, third, second)
	counts := func(p *corev1.Pod) string {
		return p.Annotations[batchv1.JobIndexFailureCountAnnotation] + " " + p.Annotations[batchv1.JobIndexIgnoredFailureCountAnnotation]
	}
	if got := []string{counts(first), counts(second), counts(third)}; !slices.Equal(got, []string{"0 ", "1 ", "1 1"}) {
		t.Errorf("counted and ignored failures %q, want 0, 1, and 1 and 1", got)
	}
}

// The API server refuses a status with more ready Pods than active ones.
func TestRemovedPodsAreNotReady(t *testing.T) {
	ready := pod("a Running")
	ready.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	s := decide(job(1, 1, suspended), []*corev1.Pod{ready}, backoff{}, now).status
	if s.Active != 0 || *s.Ready != 0 || *s.Terminating != 1 {
		t.Errorf("active %d, ready %d, terminating %d; want 0, 0, 1", s.Active, *s.Ready, *s.Terminating)
	}
}

func TestGenerateNameKeepsTheIndex(t *testing.T) {
	if got := generateName(strings.Repeat("j", 60), "12"); len(got) != 58 || !strings.HasSuffix(got, "j-12-") {
		t.Errorf("got %q", got)
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
		b = b.next(tally{failedNow: pods("a Failed ago=0s")})
		if got := b.left(now); got != want {
			t.Errorf("after %d failures %s, want %s", b.failures, got, want)
		}
	}
	if got := b.left(now.Add(-36 * time.Hour)); got != 40*time.Second {
		t.Errorf("after a failure in the future, as clocks differ, %s, want 40s", got)
	}
	if b = b.next(tally{succeededNow: pods("a Succeeded")}); b.left(now) != 0 {
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

// As many Pods as end while nobody counts are counted in turns, each of which fits into a status.
func TestManyFinishedPodsAreCountedInTurns(t *testing.T) {
	const n = 1200
	j := job(0, 1)
	j.Spec.Completions, j.Spec.BackoffLimit = ptr.To[int32](2*n), ptr.To[int32](2*n)
	var all []*corev1.Pod
	for i := range n {
		all = append(all, pod(fmt.Sprintf("s%d Succeeded", i)), pod(fmt.Sprintf("f%d Failed ago=1h", i)))
	}
	turns := 0
	for ; j.Status.Succeeded < n || j.Status.Failed < n; turns++ {
		p := decide(j, all, backoff{}, now)
		uncounted := p.status.UncountedTerminatedPods
		if named := len(uncounted.Succeeded) + len(uncounted.Failed); named > mostUncounted || turns > 10 || len(p.release) != named {
			t.Fatalf("turn %d names %d Pods and releases %d; %d succeeded, %d failed", turns, named, len(p.release), p.status.Succeeded, p.status.Failed)
		}
		j.Status = p.status
		for _, released := range p.release {
			released.Finalizers = nil
		}
	}
	if turns != 6 || j.Status.Succeeded != n || j.Status.Failed != n {
		t.Errorf("after %d turns %d succeeded and %d failed; want %d each after 6", turns, j.Status.Succeeded, j.Status.Failed, n)
	}
}
