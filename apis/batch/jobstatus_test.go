package batch

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestJobStatusMakesSense(t *testing.T) {
	start := metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	end := metav1.NewTime(start.Add(time.Hour))
	is := func(kinds ...batchv1.JobConditionType) (all []batchv1.JobCondition) {
		for _, kind := range kinds {
			all = append(all, batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue})
		}
		return all
	}
	done := batchv1.JobStatus{Conditions: is(batchv1.JobComplete, batchv1.JobSuccessCriteriaMet), StartTime: &start, CompletionTime: &end, Succeeded: 3}
	plain, withIndexes := batchv1.JobSpec{}, batchv1.JobSpec{
		CompletionMode: new(batchv1.IndexedCompletion), Completions: new(int32(5)), BackoffLimitPerIndex: new(int32(1)),
	}
	for _, c := range []struct {
		name     string
		spec     batchv1.JobSpec
		old, new batchv1.JobStatus
		want     []string
	}{
		{"running", plain, batchv1.JobStatus{}, batchv1.JobStatus{Active: 2, Ready: new(int32(1)), StartTime: &start}, nil},
		{"complete", plain, batchv1.JobStatus{}, done, nil},
		{"a custom condition", plain, batchv1.JobStatus{}, batchv1.JobStatus{Conditions: is("Custom")}, nil},
		{"negative", plain, batchv1.JobStatus{}, batchv1.JobStatus{Active: -1}, []string{"status.active"}},
		{"more ready than active", plain, batchv1.JobStatus{}, batchv1.JobStatus{Ready: new(int32(1))}, []string{"status.ready"}},
		{"complete without all that belongs to it", plain, batchv1.JobStatus{}, batchv1.JobStatus{Conditions: is(batchv1.JobComplete)},
			[]string{"status.conditions", "status.completionTime", "status.startTime"}},
		{"contradictory before", plain, batchv1.JobStatus{Conditions: is(batchv1.JobComplete)}, batchv1.JobStatus{Conditions: is(batchv1.JobComplete), Succeeded: 1}, nil},
		{"failed and complete", plain, batchv1.JobStatus{}, batchv1.JobStatus{
			Conditions: is(batchv1.JobComplete, batchv1.JobSuccessCriteriaMet, batchv1.JobFailed, batchv1.JobFailureTarget), StartTime: &start, CompletionTime: &end,
		}, []string{"status.conditions", "status.conditions", "status.conditions", "status.conditions"}},
		{"no more complete", plain, done, batchv1.JobStatus{Succeeded: 3, StartTime: &start}, []string{"status.conditions", "status.conditions"}},
		{"counting back", plain, batchv1.JobStatus{Succeeded: 2, Failed: 2}, batchv1.JobStatus{Succeeded: 1, Failed: 1}, []string{"status.failed", "status.succeeded"}},
		{"started again", plain, batchv1.JobStatus{StartTime: &start}, batchv1.JobStatus{StartTime: &end}, []string{"status.startTime"}},
		{"one pod counted twice", plain, batchv1.JobStatus{}, batchv1.JobStatus{UncountedTerminatedPods: &batchv1.UncountedTerminatedPods{
			Succeeded: []types.UID{"a"}, Failed: []types.UID{"a", ""},
		}}, []string{"status.uncountedTerminatedPods.failed[0]", "status.uncountedTerminatedPods.failed[1]"}},
		{"indexes", withIndexes, batchv1.JobStatus{}, batchv1.JobStatus{CompletedIndexes: "0-2,4", FailedIndexes: new("3")}, nil},
		{"an index completed and failed", withIndexes, batchv1.JobStatus{}, batchv1.JobStatus{CompletedIndexes: "0-2,4", FailedIndexes: new("2-3")}, []string{"status.failedIndexes"}},
		{"too large an index", withIndexes, batchv1.JobStatus{}, batchv1.JobStatus{CompletedIndexes: "5"}, []string{"status.completedIndexes"}},
		{"indexes of a job without", plain, batchv1.JobStatus{}, batchv1.JobStatus{CompletedIndexes: "0", FailedIndexes: new("")}, []string{"status.completedIndexes", "status.failedIndexes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, err := range ValidateJobStatus(&batchv1.Job{Spec: c.spec, Status: c.new}, &batchv1.Job{Spec: c.spec, Status: c.old}) {
				got = append(got, err.Field)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzCountIndexes(f *testing.F) {
	f.Add("0-2,4", int32(5))
	f.Add("1,,-", int32(3))
	f.Fuzz(func(t *testing.T, list string, completions int32) {
		if n, err := countIndexes(list, completions); err == nil && (n < 0 || n > max(completions, 0)) {
			t.Errorf("%q of %d counts %d", list, completions, n)
		}
	})
}

func FuzzParseSchedule(f *testing.F) {
	for _, text := range []string{"*/5 * * * *", "@every 1h", "TZ=0", "CRON_TZ=Europe/Berlin 0 0 1 1 *"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if schedule, err := ParseSchedule(text); err == nil && schedule == nil {
			t.Errorf("%q is neither a schedule nor an error", text)
		}
	})
}
