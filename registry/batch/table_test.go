package batch

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestJobsInTables(t *testing.T) {
	start := metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	end := metav1.NewTime(start.Add(90 * time.Second))
	with := func(kinds ...batchv1.JobConditionType) (s batchv1.JobStatus) {
		for _, kind := range kinds {
			s.Conditions = append(s.Conditions, batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue})
		}
		return s
	}
	done := with(batchv1.JobSuccessCriteriaMet, batchv1.JobComplete)
	done.StartTime, done.CompletionTime, done.Succeeded = &start, &end, 3
	for _, c := range []struct {
		name                     string
		job                      job
		status, counts, duration string
	}{
		{"new", job{Spec: batchv1.JobSpec{Completions: new(int32(3))}}, "Running", "0/3", ""},
		{"done", job{Spec: batchv1.JobSpec{Completions: new(int32(3))}, Status: done}, "Complete", "3/3", "90s"},
		{"work queue", job{Spec: batchv1.JobSpec{Parallelism: new(int32(4))}, Status: with(batchv1.JobSuspended)}, "Suspended", "0/1 of 4", ""},
		{"failing", job{Status: with(batchv1.JobFailureTarget)}, "FailureTarget", "0/1", ""},
		{"deleted", job{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &end}, Status: with(batchv1.JobSuspended)}, "Terminating", "0/1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := jobStatus(&c.job); got != c.status {
				t.Errorf("status is %q, want %q", got, c.status)
			}
			if got := completions(&c.job); got != c.counts {
				t.Errorf("completions are %q, want %q", got, c.counts)
			}
			if got := jobDuration(&c.job); got != c.duration {
				t.Errorf("duration is %q, want %q", got, c.duration)
			}
		})
	}
}
