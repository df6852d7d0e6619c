package cronjob

import (
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

// now is one minute and ten seconds after a full hour.
var now = time.Date(2026, 1, 2, 3, 1, 10, 0, time.UTC)

type option func(*batchv1.CronJob)

func cronJob(schedule string, options ...option) *batchv1.CronJob {
	c := &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "c", UID: "c", CreationTimestamp: metav1.NewTime(now.Add(-time.Minute))},
		Spec:       batchv1.CronJobSpec{Schedule: schedule, SuccessfulJobsHistoryLimit: ptr.To[int32](1), FailedJobsHistoryLimit: ptr.To[int32](1)},
	}
	for _, o := range options {
		o(c)
	}
	return c
}

func last(ago time.Duration) option {
	return func(c *batchv1.CronJob) { c.Status.LastScheduleTime = &metav1.Time{Time: now.Add(-ago)} }
}
func policy(p batchv1.ConcurrencyPolicy) option {
	return func(c *batchv1.CronJob) { c.Spec.ConcurrencyPolicy = p }
}
func within(seconds int64) option {
	return func(c *batchv1.CronJob) { c.Spec.StartingDeadlineSeconds = &seconds }
}
func suspended(c *batchv1.CronJob) { c.Spec.Suspend = ptr.To(true) }
func active(names ...string) option {
	return func(c *batchv1.CronJob) {
		for _, name := range names {
			c.Status.Active = append(c.Status.Active, corev1.ObjectReference{Name: name, UID: types.UID(name)})
		}
	}
}
func zone(name string) option { return func(c *batchv1.CronJob) { c.Spec.TimeZone = &name } }

func job(name string, end batchv1.JobConditionType, startedAgo time.Duration) *batchv1.Job {
	j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}, Status: batchv1.JobStatus{StartTime: &metav1.Time{Time: now.Add(-startedAgo)}}}
	if end != "" {
		j.Status.Conditions = []batchv1.JobCondition{{Type: end, Status: corev1.ConditionTrue}}
	}
	return j
}

func steps(p plan) string {
	var words []string
	for _, j := range p.remove {
		words = append(words, "remove "+j.Name)
	}
	if p.start != nil {
		words = append(words, "start "+p.start.Name)
	}
	for _, a := range p.tell {
		words = append(words, a.reason)
	}
	return strings.Join(words, ", ")
}

func TestDecide(t *testing.T) {
	start := func(at time.Time) string { return fmt.Sprintf("start c-%d", at.Unix()/60) }
	minute, hour := now.Truncate(time.Minute), now.Truncate(time.Hour)
	for name, test := range map[string]struct {
		c    *batchv1.CronJob
		jobs []*batchv1.Job
		want string
	}{
		"the time has come":         {cronJob("* * * * *"), nil, start(minute)},
		"not yet":                   {cronJob("0 12 * * *"), nil, ""},
		"started already":           {cronJob("* * * * *", last(10*time.Second)), nil, ""},
		"only the last of those":    {cronJob("* * * * *", last(30*time.Minute+10*time.Second)), nil, start(minute)},
		"very many":                 {cronJob("* * * * *", last(48*time.Hour)), nil, start(minute) + ", TooManyMissedTimes"},
		"too late":                  {cronJob("0 * * * *", last(24*time.Hour), within(30)), nil, ""},
		"late, but in time":         {cronJob("0 * * * *", last(24*time.Hour), within(120)), nil, start(hour)},
		"suspended":                 {cronJob("* * * * *", suspended), nil, ""},
		"one still runs, allowed":   {cronJob("* * * * *", active("a")), []*batchv1.Job{job("a", "", time.Hour)}, start(minute)},
		"one still runs, forbidden": {cronJob("* * * * *", active("a"), policy(batchv1.ForbidConcurrent)), []*batchv1.Job{job("a", "", time.Hour)}, "JobAlreadyActive"},
		"one still runs, replaced":  {cronJob("* * * * *", active("a"), policy(batchv1.ReplaceConcurrent)), []*batchv1.Job{job("a", "", time.Hour)}, "remove a, " + start(minute)},
		"one has ended":             {cronJob("0 12 * * *", active("a")), []*batchv1.Job{job("a", batchv1.JobComplete, time.Hour)}, "SawCompletedJob"},
		"one is gone":               {cronJob("0 12 * * *", active("a")), nil, "MissingJob"},
		"a stranger":                {cronJob("0 12 * * *"), []*batchv1.Job{job("a", "", time.Hour)}, "UnexpectedJob"},
		"history has limits":        {cronJob("0 12 * * *"), []*batchv1.Job{job("a", batchv1.JobFailed, time.Hour), job("b", batchv1.JobFailed, 2*time.Hour), job("d", batchv1.JobComplete, time.Hour)}, "remove b"},
		"in another zone":           {cronJob("30 8 * * *", zone("Asia/Kolkata"), last(23*time.Hour)), nil, start(hour)},
		"in no zone":                {cronJob("* * * * *", zone("Nowhere")), nil, "UnknownTimeZone"},
		"no schedule":               {cronJob("soon"), nil, "UnparseableSchedule"},
	} {
		t.Run(name, func(t *testing.T) {
			p := decide(test.c, test.jobs, now)
			if got := steps(p); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestComesBackAtTheNextTime(t *testing.T) {
	if got := decide(cronJob("*/5 * * * *"), nil, now).again; got != 3*time.Minute+50*time.Second+margin {
		t.Errorf("comes back in %s, want 3m50.1s", got)
	}
}
