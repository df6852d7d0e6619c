package batch

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
	batchv1 "k8s.io/api/batch/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

// maxCronJobName leaves room for what is added to the names of its jobs.
const maxCronJobName = 52

// DefaultCronJob keeps three jobs that succeeded and one that failed.
// https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/
func DefaultCronJob(c *batchv1.CronJob) {
	defaultTemplate(&c.Spec.JobTemplate.Spec)
	if c.Spec.ConcurrencyPolicy == "" {
		c.Spec.ConcurrencyPolicy = batchv1.AllowConcurrent
	}
	orDefault(&c.Spec.Suspend, false)
	orDefault(&c.Spec.SuccessfulJobsHistoryLimit, 3)
	orDefault(&c.Spec.FailedJobsHistoryLimit, 1)
}

// ValidateCronJob checks a new cron job.
func ValidateCronJob(c *batchv1.CronJob) field.ErrorList {
	errs := append(validateCronJob(&c.Spec, false), validateTimeZone(c.Spec.TimeZone, spec.Child("timeZone"))...)
	if len(c.Name) > maxCronJobName {
		errs = append(errs, field.Invalid(metadata.Child("name"), c.Name, fmt.Sprintf("must be no more than %d characters", maxCronJobName)))
	}
	return errs
}

// ValidateCronJobUpdate lets schedules keep a time zone that they had in times before there was a field for it.
func ValidateCronJobUpdate(c, old *batchv1.CronJob) field.ErrorList {
	errs := validateCronJob(&c.Spec, strings.Contains(old.Spec.Schedule, "TZ"))
	if !apiequality.Semantic.DeepEqual(c.Spec.TimeZone, old.Spec.TimeZone) {
		errs = append(errs, validateTimeZone(c.Spec.TimeZone, spec.Child("timeZone"))...)
	}
	return errs
}

func validateCronJob(s *batchv1.CronJobSpec, zoneInSchedule bool) (errs field.ErrorList) {
	template, at := &s.JobTemplate.Spec, spec.Child("jobTemplate", "spec")
	errs = slices.Concat(
		validateSchedule(s, zoneInSchedule, spec.Child("schedule")),
		rule.NonNegativeIfSet(s.StartingDeadlineSeconds, spec.Child("startingDeadlineSeconds")),
		rule.RequiredOneOf(s.ConcurrencyPolicy, spec.Child("concurrencyPolicy"), batchv1.AllowConcurrent, batchv1.ForbidConcurrent, batchv1.ReplaceConcurrent),
		validateJobSpec(template, at),
		rule.NonNegativeIfSet(s.SuccessfulJobsHistoryLimit, spec.Child("successfulJobsHistoryLimit")),
		rule.NonNegativeIfSet(s.FailedJobsHistoryLimit, spec.Child("failedJobsHistoryLimit")),
	)
	if template.Selector != nil {
		errs = append(errs, field.Invalid(at.Child("selector"), template.Selector, "`selector` will be auto-generated"))
	}
	if isTrue(template.ManualSelector) {
		errs = append(errs, field.NotSupported(at.Child("manualSelector"), template.ManualSelector, []string{"nil", "false"}))
	}
	return errs
}

func validateSchedule(s *batchv1.CronJobSpec, zoneInSchedule bool, at *field.Path) (errs field.ErrorList) {
	if s.Schedule == "" {
		return field.ErrorList{field.Required(at, "")}
	}
	if _, err := ParseSchedule(s.Schedule); err != nil {
		errs = append(errs, field.Invalid(at, s.Schedule, err.Error()))
	}
	switch zone := strings.Contains(s.Schedule, "TZ"); {
	case zone && zoneInSchedule && s.TimeZone != nil:
		errs = append(errs, field.Invalid(at, s.Schedule, "cannot use both timeZone field and TZ or CRON_TZ in schedule"))
	case zone && !zoneInSchedule:
		errs = append(errs, field.Invalid(at, s.Schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"))
	}
	return errs
}

// ParseSchedule reads a schedule of five fields, or one like @hourly. It never panics: the library does, on some.
func ParseSchedule(text string) (schedule cron.Schedule, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("invalid schedule format: %v", r)
		}
	}()
	return cron.ParseStandard(text)
}

var zonePart = regexp.MustCompile(`^[A-Za-z._0-9+][A-Za-z._0-9+-]{0,13}$`)

func validateTimeZone(zone *string, at *field.Path) (errs field.ErrorList) {
	if zone == nil {
		return nil
	}
	if *zone == "" {
		return field.ErrorList{field.Invalid(at, zone, "timeZone must be nil or non-empty string")}
	}
	for part := range strings.SplitSeq(*zone, "/") {
		if part == "." || part == ".." || !zonePart.MatchString(part) {
			return field.ErrorList{field.Invalid(at, zone, "unknown time zone "+*zone)}
		}
	}
	if strings.EqualFold(*zone, "Local") {
		errs = append(errs, field.Invalid(at, zone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"))
	}
	if _, err := time.LoadLocation(*zone); err != nil {
		errs = append(errs, field.Invalid(at, zone, err.Error()))
	}
	return errs
}
