package batch

import (
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/apis/feature"
	"github.com/coracle-k8s/coracle/apis/rule"
)

// What a job must keep to when it has many indexes, as its status lists them.
const (
	maxIndexedParallelism = 100_000
	maxFailedIndexes      = 100_000
	manyCompletions       = 100_000
	maxOfMany             = 10_000
	maxManagedBy          = 63
)

func indexed(s *batchv1.JobSpec) bool {
	return s.CompletionMode != nil && *s.CompletionMode == batchv1.IndexedCompletion
}

// validateJobSpec checks what jobs and templates of jobs have in common: all but selectors.
func validateJobSpec(s *batchv1.JobSpec, at *field.Path) field.ErrorList {
	errs := slices.Concat(
		rule.NonNegativeIfSet(s.Parallelism, at.Child("parallelism")),
		rule.NonNegativeIfSet(s.Completions, at.Child("completions")),
		rule.NonNegativeIfSet(s.ActiveDeadlineSeconds, at.Child("activeDeadlineSeconds")),
		rule.NonNegativeIfSet(s.BackoffLimit, at.Child("backoffLimit")),
		rule.NonNegativeIfSet(s.TTLSecondsAfterFinished, at.Child("ttlSecondsAfterFinished")),
		rule.NonNegativeIfSet(s.BackoffLimitPerIndex, at.Child("backoffLimitPerIndex")),
		rule.NonNegativeIfSet(s.MaxFailedIndexes, at.Child("maxFailedIndexes")),
	)
	if s.MaxFailedIndexes != nil && s.BackoffLimitPerIndex == nil {
		errs = append(errs, field.Required(at.Child("backoffLimitPerIndex"), "when maxFailedIndexes is specified"))
	}
	if name := s.ManagedBy; name != nil {
		errs = append(errs, validation.IsDomainPrefixedPath(at.Child("managedBy"), *name)...)
		if len(*name) > maxManagedBy {
			errs = append(errs, field.TooLong(at.Child("managedBy"), "", maxManagedBy))
		}
	}
	if s.CompletionMode != nil {
		errs = append(errs, rule.OneOf(*s.CompletionMode, at.Child("completionMode"), batchv1.NonIndexedCompletion, batchv1.IndexedCompletion)...)
	}
	if indexed(s) {
		errs = append(errs, validateIndexed(s, at)...)
	} else if s.CompletionMode == nil || *s.CompletionMode == batchv1.NonIndexedCompletion {
		errs = append(errs, validateNonIndexed(s, at)...)
	}
	if s.PodFailurePolicy != nil {
		errs = append(errs, validateFailurePolicy(s, at.Child("podFailurePolicy"))...)
	}
	switch at := at.Child("successPolicy"); {
	case s.SuccessPolicy != nil && indexed(s):
		errs = append(errs, validateSuccessPolicy(s, at)...)
	case s.SuccessPolicy != nil:
		errs = append(errs, field.Invalid(at, *s.SuccessPolicy, "requires indexed completion mode"))
	}
	return slices.Concat(errs,
		validateReplacement(s, at.Child("podReplacementPolicy")),
		core.ValidatePodTemplate(&s.Template, at.Child("template")),
		validateRestarts(s, at.Child("template", "spec", "restartPolicy")),
	)
}

func validateIndexed(s *batchv1.JobSpec, at *field.Path) (errs field.ErrorList) {
	atMost := func(n *int32, most int32, name, detail string) {
		if n != nil && *n > most {
			errs = append(errs, field.Invalid(at.Child(name), *n, detail))
		}
	}
	if s.Completions == nil {
		errs = append(errs, field.Required(at.Child("completions"), "when completion mode is Indexed"))
	} else {
		atMost(s.MaxFailedIndexes, *s.Completions, "maxFailedIndexes", "must be less than or equal to completions")
	}
	atMost(s.Parallelism, maxIndexedParallelism, "parallelism", fmt.Sprintf("must be less than or equal to %d when completion mode is Indexed", maxIndexedParallelism))
	atMost(s.MaxFailedIndexes, maxFailedIndexes, "maxFailedIndexes", fmt.Sprintf("must be less than or equal to %d", maxFailedIndexes))
	if s.Completions != nil && *s.Completions > manyCompletions && s.BackoffLimitPerIndex != nil {
		if s.MaxFailedIndexes == nil {
			errs = append(errs, field.Required(at.Child("maxFailedIndexes"), fmt.Sprintf("must be specified when completions is above %d", manyCompletions)))
		}
		detail := fmt.Sprintf("must be less than or equal to %d when completions are above %d and used with backoff limit per index", maxOfMany, manyCompletions)
		atMost(s.Parallelism, maxOfMany, "parallelism", detail)
		atMost(s.MaxFailedIndexes, maxOfMany, "maxFailedIndexes", detail)
	}
	return errs
}

func validateNonIndexed(s *batchv1.JobSpec, at *field.Path) (errs field.ErrorList) {
	if n := s.BackoffLimitPerIndex; n != nil {
		errs = append(errs, field.Invalid(at.Child("backoffLimitPerIndex"), *n, "requires indexed completion mode"))
	}
	if n := s.MaxFailedIndexes; n != nil {
		errs = append(errs, field.Invalid(at.Child("maxFailedIndexes"), *n, "requires indexed completion mode"))
	}
	return errs
}

func validateReplacement(s *batchv1.JobSpec, at *field.Path) field.ErrorList {
	switch p := s.PodReplacementPolicy; {
	case p == nil:
		return nil
	case s.PodFailurePolicy != nil:
		return rule.OneOf(*p, at, batchv1.Failed)
	default:
		return rule.OneOf(*p, at, batchv1.Failed, batchv1.TerminatingOrFailed)
	}
}

func validateRestarts(s *batchv1.JobSpec, at *field.Path) field.ErrorList {
	switch p := s.Template.Spec.RestartPolicy; {
	case p == corev1.RestartPolicyAlways || p == "":
		return field.ErrorList{field.Required(at, fmt.Sprintf("valid values: %q, %q", corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever))}
	case p == corev1.RestartPolicyOnFailure && s.PodFailurePolicy != nil:
		return field.ErrorList{field.Invalid(at, p, fmt.Sprintf("only %q is supported when podFailurePolicy is specified", corev1.RestartPolicyNever))}
	default:
		return rule.OneOf(p, at, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever)
	}
}

// GatedJobSpec are the fields of Jobs, but for those of their templates, whose features are off by default.
func GatedJobSpec() []feature.Field[*batchv1.JobSpec] {
	return []feature.Field[*batchv1.JobSpec]{{
		Gate:  feature.WorkloadWithJob,
		InUse: func(s *batchv1.JobSpec) bool { return s.Scheduling != nil },
		Drop:  func(s *batchv1.JobSpec) { s.Scheduling = nil },
	}}
}
