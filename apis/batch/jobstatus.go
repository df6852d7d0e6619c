package batch

import (
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

var status = field.NewPath("status")

// ValidateJobStatus checks that a status makes sense, and that it follows from the one before. What was contradictory
// before may stay so.
func ValidateJobStatus(j, old *batchv1.Job) field.ErrorList {
	before := contradictions(old)
	errs := slices.DeleteFunc(contradictions(j), func(err *field.Error) bool {
		return slices.ContainsFunc(before, func(was *field.Error) bool { return was.Field == err.Field && was.Detail == err.Detail })
	})
	return slices.Concat(validateCounts(&j.Status), errs, validateTransition(j, old))
}

func validateCounts(s *batchv1.JobStatus) field.ErrorList {
	errs := slices.Concat(
		rule.NonNegative(s.Active, status.Child("active")),
		rule.NonNegative(s.Succeeded, status.Child("succeeded")),
		rule.NonNegative(s.Failed, status.Child("failed")),
		rule.NonNegativeIfSet(s.Ready, status.Child("ready")),
		rule.NonNegativeIfSet(s.Terminating, status.Child("terminating")),
	)
	if u, at := s.UncountedTerminatedPods, status.Child("uncountedTerminatedPods"); u != nil {
		seen := map[types.UID]bool{}
		errs = append(errs, validateUIDs(u.Succeeded, seen, at.Child("succeeded"))...)
		errs = append(errs, validateUIDs(u.Failed, seen, at.Child("failed"))...)
	}
	return errs
}

func validateUIDs(uids []types.UID, seen map[types.UID]bool, at *field.Path) (errs field.ErrorList) {
	for i, uid := range uids {
		switch {
		case uid == "":
			errs = append(errs, field.Invalid(at.Index(i), uid, "must not be empty"))
		case seen[uid]:
			errs = append(errs, field.Duplicate(at.Index(i), uid))
		}
		seen[uid] = true
	}
	return errs
}

// contradictions are what cannot be true of a job at the same time.
func contradictions(j *batchv1.Job) (errs field.ErrorList) {
	s := &j.Status
	is := func(kind batchv1.JobConditionType) bool { return hasCondition(s, kind) }
	complete, failed, failing, succeeding := is(batchv1.JobComplete), is(batchv1.JobFailed), is(batchv1.JobFailureTarget), is(batchv1.JobSuccessCriteriaMet)
	refuse := func(wrong bool, name string, value any, detail string) {
		if wrong {
			errs = append(errs, field.Invalid(status.Child(name), value, detail))
		}
	}
	none := field.OmitValueType{}
	refuse(complete && failed, "conditions", none, "cannot set Complete=True and Failed=true conditions")
	refuse(complete && failing, "conditions", none, "cannot set Complete=True and FailureTarget=true conditions")
	refuse(failed && !failing, "conditions", none, "cannot set Failed=True condition without the FailureTarget=true condition")
	refuse(complete && !succeeding, "conditions", none, "cannot set Complete=True condition without the SuccessCriteriaMet=true condition")
	refuse(succeeding && failed, "conditions", none, "cannot set SuccessCriteriaMet=True and Failed=true conditions")
	refuse(succeeding && failing, "conditions", none, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions")
	refuse(s.CompletionTime != nil && !complete, "completionTime", s.CompletionTime, "cannot set completionTime when there is no Complete=True condition")
	refuse(s.CompletionTime != nil && s.StartTime != nil && s.CompletionTime.Before(s.StartTime), "completionTime", s.CompletionTime, "must be equal to or after `startTime`")
	if s.CompletionTime == nil && complete {
		errs = append(errs, field.Required(status.Child("completionTime"), "completionTime is required for Complete jobs"))
	}
	refuse(s.Ready != nil && *s.Ready > s.Active, "ready", s.Ready, "cannot set more ready pods than active")
	if complete || failed {
		errs = append(errs, unfinished(s)...)
	}
	return append(errs, wrongIndexes(j)...)
}

// unfinished is what a finished job has no more.
func unfinished(s *batchv1.JobStatus) (errs field.ErrorList) {
	if s.Active > 0 {
		errs = append(errs, field.Invalid(status.Child("active"), s.Active, "active>0 is invalid for finished job"))
	}
	if s.StartTime == nil {
		errs = append(errs, field.Required(status.Child("startTime"), "startTime is required for finished job"))
	}
	if s.Terminating != nil && *s.Terminating > 0 {
		errs = append(errs, field.Invalid(status.Child("terminating"), *s.Terminating, "terminating>0 is invalid for finished job"))
	}
	if u := s.UncountedTerminatedPods; u != nil && len(u.Failed)+len(u.Succeeded) > 0 {
		errs = append(errs, field.Invalid(status.Child("uncountedTerminatedPods"), u, "must be empty for finished job"))
	}
	return errs
}

func wrongIndexes(j *batchv1.Job) (errs field.ErrorList) {
	s, completions := &j.Status, int32(0)
	if j.Spec.Completions != nil {
		completions = *j.Spec.Completions
	}
	completed, failed := status.Child("completedIndexes"), status.Child("failedIndexes")
	if s.CompletedIndexes != "" && !indexed(&j.Spec) {
		errs = append(errs, field.Invalid(completed, s.CompletedIndexes, "cannot set non-empty completedIndexes when non-indexed completion mode"))
	}
	if _, err := countIndexes(s.CompletedIndexes, completions); err != nil && j.Spec.Completions != nil {
		errs = append(errs, field.Invalid(completed, s.CompletedIndexes, fmt.Sprintf("error parsing completedIndexes: %v", err)))
	}
	switch {
	case s.FailedIndexes == nil:
		return errs
	case j.Spec.BackoffLimitPerIndex == nil:
		return append(errs, field.Invalid(failed, *s.FailedIndexes, "cannot set non-null failedIndexes when backoffLimitPerIndex is null"))
	}
	if _, err := countIndexes(*s.FailedIndexes, completions); err != nil {
		return append(errs, field.Invalid(failed, *s.FailedIndexes, fmt.Sprintf("error parsing failedIndexes: %v", err)))
	}
	if i, ok := firstCommon(s.CompletedIndexes, *s.FailedIndexes, completions); ok {
		errs = append(errs, field.Invalid(failed, *s.FailedIndexes, fmt.Sprintf("failedIndexes and completedIndexes overlap at index: %d", i)))
	}
	return errs
}

// validateTransition refuses what cannot become of a job.
func validateTransition(j, old *batchv1.Job) (errs field.ErrorList) {
	s, was := &j.Status, &old.Status
	for _, kind := range []batchv1.JobConditionType{batchv1.JobFailed, batchv1.JobComplete, batchv1.JobFailureTarget} {
		if hasCondition(was, kind) && !hasCondition(s, kind) {
			errs = append(errs, field.Invalid(status.Child("conditions"), field.OmitValueType{}, fmt.Sprintf("cannot disable the terminal %s=True condition", kind)))
		}
	}
	if hasCondition(was, batchv1.JobSuccessCriteriaMet) && !hasCondition(s, batchv1.JobSuccessCriteriaMet) {
		errs = append(errs, field.Invalid(status.Child("conditions"), field.OmitValueType{}, "cannot disable the SuccessCriteriaMet=True condition"))
	}
	if s.Failed < was.Failed {
		errs = append(errs, field.Invalid(status.Child("failed"), s.Failed, "cannot decrease the failed counter"))
	}
	if s.Succeeded < was.Succeeded {
		errs = append(errs, field.Invalid(status.Child("succeeded"), s.Succeeded, "cannot decrease the succeeded counter"))
	}
	if moved(s.CompletionTime, was.CompletionTime) && s.CompletionTime != nil {
		errs = append(errs, field.Invalid(status.Child("completionTime"), s.CompletionTime, "field is immutable"))
	}
	if moved(s.StartTime, was.StartTime) && !isTrue(j.Spec.Suspend) {
		errs = append(errs, field.Invalid(status.Child("startTime"), s.StartTime, "field is immutable for unsuspended job once set"))
	}
	return errs
}

// moved reports whether a time that was set is another one now.
func moved(t, was *metav1.Time) bool { return was != nil && !was.Equal(t) }
