package cronjob

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/robfig/cron/v3"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/apis/batch"
	"github.com/coracle-k8s/coracle/controllers/owned"
)

const (
	// margin keeps the clock from being looked at a moment before it strikes.
	margin = 100 * time.Millisecond
	// many missed times are worth a warning.
	many = 100
)

// plan is what one reconciliation does: remove jobs, start one, write the status.
type plan struct {
	start  *batchv1.Job
	remove []*batchv1.Job
	status batchv1.CronJobStatus
	again  time.Duration
	tell   []announcement
}

type announcement struct{ kind, reason, note string }

func (p *plan) say(kind, reason, note string, args ...any) {
	p.tell = append(p.tell, announcement{kind, reason, fmt.Sprintf(note, args...)})
}

// finished is the condition by which a job has ended; empty for one that has not.
func finished(job *batchv1.Job) batchv1.JobConditionType {
	for _, c := range job.Status.Conditions {
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return c.Type
		}
	}
	return ""
}

// decide plans the next step of a CronJob that owns jobs.
func decide(c *batchv1.CronJob, jobs []*batchv1.Job, now time.Time) plan {
	p := plan{status: *c.Status.DeepCopy()}
	p.takeStock(c, jobs)
	p.trim(c, jobs)
	if c.DeletionTimestamp != nil || ptr.Deref(c.Spec.Suspend, false) {
		return p
	}
	if zone := c.Spec.TimeZone; zone != nil {
		if _, err := time.LoadLocation(*zone); err != nil {
			p.say(corev1.EventTypeWarning, "UnknownTimeZone", "invalid timeZone: %q: %s", *zone, err)
			return p
		}
	}
	schedule, err := scheduleOf(c)
	if err != nil {
		p.say(corev1.EventTypeWarning, "UnparseableSchedule", "unparseable schedule: %q : %s", c.Spec.Schedule, err)
		return p
	}
	due, missed, err := latest(c, schedule, now)
	if err != nil {
		p.say(corev1.EventTypeWarning, "InvalidSchedule", "invalid schedule: %s : %s", c.Spec.Schedule, err)
		return p
	}
	p.again = schedule.Next(now).Add(margin).Sub(now)
	if missed > many {
		p.say(corev1.EventTypeWarning, "TooManyMissedTimes",
			"too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew")
	}
	if !due.IsZero() {
		p.startAt(c, jobs, due, now)
	}
	return p
}

func scheduleOf(c *batchv1.CronJob) (cron.Schedule, error) {
	text := c.Spec.Schedule
	if c.Spec.TimeZone != nil {
		text = "TZ=" + *c.Spec.TimeZone + " " + text
	}
	return batch.ParseSchedule(text)
}

// latest is the last time that has come since the last start, but for what is too long ago to be made up for; zero if
// none has. missed is how many have, about.
func latest(c *batchv1.CronJob, schedule cron.Schedule, now time.Time) (due time.Time, missed int64, err error) {
	from := c.CreationTimestamp.Time
	if c.Status.LastScheduleTime != nil {
		from = c.Status.LastScheduleTime.Time
	}
	if c.Spec.StartingDeadlineSeconds != nil {
		if limit := now.Add(-time.Duration(*c.Spec.StartingDeadlineSeconds) * time.Second); limit.After(from) {
			from = limit
		}
	}
	first := schedule.Next(from)
	second := schedule.Next(first)
	if now.Before(first) {
		return time.Time{}, 0, nil
	}
	if now.Before(second) {
		return first, 1, nil
	}
	gap := second.Sub(first).Round(time.Second)
	if gap < time.Second {
		return time.Time{}, 0, errors.New("time difference between two schedules is less than 1 second")
	}
	missed = int64(now.Sub(first)/gap) + 1
	// Near the end, if times are regular; if not, a little more is stepped through.
	for t := first.Add(time.Duration(missed-2) * gap); ; {
		if t = schedule.Next(t); t.After(now) {
			break
		}
		due = t
	}
	if due.IsZero() {
		due = first
	}
	return due, missed, nil
}

// takeStock brings the list of running jobs up to date.
func (p *plan) takeStock(c *batchv1.CronJob, jobs []*batchv1.Job) {
	byUID := map[types.UID]*batchv1.Job{}
	for _, job := range jobs {
		byUID[job.UID] = job
		end, listed := finished(job), p.lists(job)
		switch {
		case end == "" && !listed:
			p.say(corev1.EventTypeWarning, "UnexpectedJob", "Saw a job that the controller did not create or forgot: %s", job.Name)
		case end != "" && listed:
			p.say(corev1.EventTypeNormal, "SawCompletedJob", "Saw completed job: %s, condition: %v", job.Name, end)
		}
		completed := job.Status.CompletionTime
		if end == batchv1.JobComplete && completed != nil && (p.status.LastSuccessfulTime == nil || completed.After(p.status.LastSuccessfulTime.Time)) {
			p.status.LastSuccessfulTime = completed
		}
	}
	p.status.Active = slices.DeleteFunc(p.status.Active, func(ref corev1.ObjectReference) bool {
		job := byUID[ref.UID]
		if job == nil {
			p.say(corev1.EventTypeNormal, "MissingJob", "Active job went missing: %v", ref.Name)
		}
		return job == nil || finished(job) != ""
	})
}

func (p *plan) lists(job *batchv1.Job) bool {
	return slices.ContainsFunc(p.status.Active, func(ref corev1.ObjectReference) bool { return ref.UID == job.UID })
}

// trim removes the oldest finished jobs beyond the limits.
func (p *plan) trim(c *batchv1.CronJob, jobs []*batchv1.Job) {
	oldest := func(limit *int32, end batchv1.JobConditionType) {
		ended := slices.DeleteFunc(slices.Clone(jobs), func(job *batchv1.Job) bool { return finished(job) != end || job.DeletionTimestamp != nil })
		if limit == nil || len(ended) <= int(*limit) {
			return
		}
		slices.SortFunc(ended, func(a, b *batchv1.Job) int {
			return cmp.Or(started(a).Compare(started(b)), cmp.Compare(a.Name, b.Name))
		})
		p.remove = append(p.remove, ended[:len(ended)-int(*limit)]...)
	}
	oldest(c.Spec.SuccessfulJobsHistoryLimit, batchv1.JobComplete)
	oldest(c.Spec.FailedJobsHistoryLimit, batchv1.JobFailed)
}

func started(job *batchv1.Job) time.Time {
	if job.Status.StartTime == nil {
		return time.Time{}
	}
	return job.Status.StartTime.Time
}

// startAt starts the job of a time that has come, unless something is against it.
func (p *plan) startAt(c *batchv1.CronJob, jobs []*batchv1.Job, due, now time.Time) {
	name := jobName(c, due)
	running := slices.ContainsFunc(p.status.Active, func(ref corev1.ObjectReference) bool { return ref.Name == name })
	if running || c.Status.LastScheduleTime != nil && c.Status.LastScheduleTime.Time.Equal(due) {
		return
	}
	if limit := c.Spec.StartingDeadlineSeconds; limit != nil && due.Add(time.Duration(*limit)*time.Second).Before(now) {
		p.say(corev1.EventTypeWarning, "MissSchedule", "Missed scheduled time to start a job: %s", due.UTC().Format(time.RFC1123Z))
		return
	}
	if len(p.status.Active) > 0 {
		switch c.Spec.ConcurrencyPolicy {
		case batchv1.ForbidConcurrent:
			p.say(corev1.EventTypeNormal, "JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid")
			return
		case batchv1.ReplaceConcurrent:
			for _, job := range jobs {
				if p.lists(job) {
					p.remove = append(p.remove, job)
				}
			}
			p.status.Active = nil
		}
	}
	p.start = jobOf(c, name, due)
	p.status.LastScheduleTime = &metav1.Time{Time: due}
}

// jobName is the same for the same time, so that no time is served twice.
func jobName(c *batchv1.CronJob, due time.Time) string {
	return fmt.Sprintf("%s-%d", c.Name, due.Unix()/60)
}

func jobOf(c *batchv1.CronJob, name string, due time.Time) *batchv1.Job {
	zone, err := time.LoadLocation(ptr.Deref(c.Spec.TimeZone, ""))
	if err != nil {
		zone = time.UTC
	}
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: c.Namespace, Name: name,
			Labels: maps.Clone(c.Spec.JobTemplate.Labels), Annotations: maps.Clone(c.Spec.JobTemplate.Annotations),
			OwnerReferences: []metav1.OwnerReference{owned.Reference(c, kind)},
		},
		Spec: *c.Spec.JobTemplate.Spec.DeepCopy(),
	}
	metav1.SetMetaDataAnnotation(&job.ObjectMeta, batchv1.CronJobScheduledTimestampAnnotation, due.In(zone).Format(time.RFC3339))
	return job
}
