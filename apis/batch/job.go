// Package batch says what the objects of the batch group mean: defaults and validation, as pure functions.
package batch

import (
	"fmt"
	"maps"
	"math"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/apis/rule"
)

var spec, metadata = field.NewPath("spec"), field.NewPath("metadata")

// The names that job and controller-uid labels had before they got a prefix. Both are set.
const (
	legacyUIDLabel  = "controller-uid"
	legacyNameLabel = "job-name"
)

// DefaultJob runs one pod, tried again six times, and labels the job as its pods.
// https://kubernetes.io/docs/concepts/workloads/controllers/job/
func DefaultJob(j *batchv1.Job) {
	defaultTemplate(&j.Spec)
	s := &j.Spec
	if s.Completions == nil && s.Parallelism == nil {
		s.Completions = new(int32(1))
	}
	orDefault(&s.Parallelism, 1)
	if s.BackoffLimitPerIndex != nil {
		orDefault(&s.BackoffLimit, math.MaxInt32)
	}
	orDefault(&s.BackoffLimit, 6)
	orDefault(&s.CompletionMode, batchv1.NonIndexedCompletion)
	orDefault(&s.Suspend, false)
	orDefault(&s.ManualSelector, false)
	if s.PodFailurePolicy != nil {
		orDefault(&s.PodReplacementPolicy, batchv1.Failed)
	}
	orDefault(&s.PodReplacementPolicy, batchv1.TerminatingOrFailed)
	if len(j.Labels) == 0 {
		j.Labels = maps.Clone(s.Template.Labels)
	}
}

// defaultTemplate fills in what jobs and templates of jobs have in common.
func defaultTemplate(s *batchv1.JobSpec) {
	core.DefaultPodTemplate(&s.Template)
	if s.PodFailurePolicy == nil {
		return
	}
	for i := range s.PodFailurePolicy.Rules {
		conditions := s.PodFailurePolicy.Rules[i].OnPodConditions
		for j := range conditions {
			if conditions[j].Status == "" {
				conditions[j].Status = corev1.ConditionTrue
			}
		}
	}
}

func orDefault[V any](value **V, fallback V) {
	if *value == nil {
		*value = &fallback
	}
}

func isTrue(b *bool) bool { return b != nil && *b }

// GenerateSelector makes a new job select its own pods, by UID, unless the user brings a selector. Labels that are there
// stay, for validation to refuse.
func GenerateSelector(j *batchv1.Job) {
	if isTrue(j.Spec.ManualSelector) {
		return
	}
	all := ownLabels(j)
	maps.Copy(all, j.Spec.Template.Labels)
	j.Spec.Template.Labels = all
	orDefault(&j.Spec.Selector, metav1.LabelSelector{})
	selected := &j.Spec.Selector.MatchLabels
	if *selected == nil {
		*selected = map[string]string{}
	}
	if _, ok := (*selected)[batchv1.ControllerUidLabel]; !ok {
		(*selected)[batchv1.ControllerUidLabel] = string(j.UID)
	}
}

// ownLabels are on the pods of a job with a generated selector.
func ownLabels(j *batchv1.Job) map[string]string {
	return map[string]string{
		legacyUIDLabel: string(j.UID), batchv1.ControllerUidLabel: string(j.UID),
		legacyNameLabel: j.Name, batchv1.JobNameLabel: j.Name,
	}
}

// ValidateJob checks a new job.
func ValidateJob(j *batchv1.Job) field.ErrorList {
	s := &j.Spec
	errs := append(validateGenerated(j), validateSpec(s)...)
	if indexed(s) && s.Completions != nil && *s.Completions > 0 {
		last := fmt.Sprintf("%s-%d", j.Name, *s.Completions-1)
		if len(validation.IsDNS1123Label(last)) > 0 {
			errs = append(errs, field.Invalid(metadata.Child("name"), j.Name, "will not able to create pod with invalid DNS label: "+last))
		}
	}
	return errs
}

func validateSpec(s *batchv1.JobSpec) field.ErrorList {
	errs := validateJobSpec(s, spec)
	if s.Selector == nil {
		errs = append(errs, field.Required(spec.Child("selector"), ""))
	}
	errs = append(errs, rule.Selector(s.Selector, spec.Child("selector"))...)
	if selector, err := metav1.LabelSelectorAsSelector(s.Selector); err == nil && !selector.Matches(labels.Set(s.Template.Labels)) {
		errs = append(errs, field.Invalid(spec.Child("template", "metadata", "labels"), s.Template.Labels, "`selector` does not match template `labels`"))
	}
	return errs
}

// validateGenerated refuses labels and selectors other than the generated ones, unless the user asked to bring their own.
func validateGenerated(j *batchv1.Job) (errs field.ErrorList) {
	if isTrue(j.Spec.ManualSelector) || j.Spec.Selector == nil {
		return nil
	}
	if j.UID == "" {
		errs = append(errs, field.Required(metadata.Child("uid"), ""))
	}
	own, at := ownLabels(j), spec.Child("template", "metadata", "labels")
	for _, key := range []string{legacyUIDLabel, legacyNameLabel, batchv1.ControllerUidLabel, batchv1.JobNameLabel} {
		switch value, ok := j.Spec.Template.Labels[key]; {
		case !ok:
			errs = append(errs, field.Required(at.Key(key), fmt.Sprintf("must be '%s'", own[key])))
		case value != own[key]:
			errs = append(errs, field.Invalid(at.Key(key), j.Spec.Template.Labels, fmt.Sprintf("must be '%s'", own[key])))
		}
	}
	if selector, err := metav1.LabelSelectorAsSelector(j.Spec.Selector); err == nil && !selector.Matches(labels.Set(own)) {
		errs = append(errs, field.Invalid(spec.Child("selector"), j.Spec.Selector, "`selector` not auto-generated"))
	}
	return errs
}

// ValidateJobUpdate keeps what pods have been made of. The pods' scheduling may change before they start. As upstream, it
// reports what is wrong with the spec twice: clients count causes.
func ValidateJobUpdate(j, old *batchv1.Job) field.ErrorList {
	s, was := &j.Spec, &old.Spec
	return slices.Concat(
		ValidateJob(j),
		validateSpec(s),
		validateCompletionsUpdate(s, was),
		rule.Immutable(s.Selector, was.Selector, spec.Child("selector")),
		validateTemplateUpdate(j, old),
		rule.Immutable(s.CompletionMode, was.CompletionMode, spec.Child("completionMode")),
		rule.Immutable(s.PodFailurePolicy, was.PodFailurePolicy, spec.Child("podFailurePolicy")),
		rule.Immutable(s.BackoffLimitPerIndex, was.BackoffLimitPerIndex, spec.Child("backoffLimitPerIndex")),
		rule.Immutable(s.ManagedBy, was.ManagedBy, spec.Child("managedBy")),
		rule.Immutable(s.SuccessPolicy, was.SuccessPolicy, spec.Child("successPolicy")),
	)
}

// validateCompletionsUpdate lets indexed jobs be scaled: completions and parallelism together.
func validateCompletionsUpdate(s, was *batchv1.JobSpec) field.ErrorList {
	at := spec.Child("completions")
	same := rule.Immutable(s.Completions, was.Completions, at)
	switch {
	case !indexed(s):
		return same
	case len(same) == 0 || s.Completions == nil || s.Parallelism != nil && *s.Completions == *s.Parallelism:
		return nil
	}
	return field.ErrorList{field.Invalid(at, s.Completions, "can only be modified in tandem with "+at.Root().Child("parallelism").String())}
}

// validateTemplateUpdate compares templates, without what may change while a job is suspended and no pod of it runs.
func validateTemplateUpdate(j, old *batchv1.Job) field.ErrorList {
	template, was := &j.Spec.Template, old.Spec.Template.DeepCopy()
	if !isTrue(old.Spec.Suspend) || old.Status.Active > 0 || old.Status.StartTime != nil && !hasCondition(&old.Status, batchv1.JobSuspended) {
		return rule.Immutable(*template, *was, spec.Child("template"))
	}
	allowNodeAffinity(was, template.Spec.Affinity)
	was.Spec.NodeSelector, was.Spec.Tolerations, was.Spec.SchedulingGates = template.Spec.NodeSelector, template.Spec.Tolerations, template.Spec.SchedulingGates
	allowResources(was.Spec.Containers, template.Spec.Containers)
	allowResources(was.Spec.InitContainers, template.Spec.InitContainers)
	return rule.Immutable(template.Spec, was.Spec, spec.Child("template.spec"))
}

func allowNodeAffinity(was *corev1.PodTemplateSpec, affinity *corev1.Affinity) {
	var node *corev1.NodeAffinity
	if affinity != nil {
		node = affinity.NodeAffinity
		orDefault(&was.Spec.Affinity, corev1.Affinity{})
	}
	if was.Spec.Affinity != nil {
		was.Spec.Affinity.NodeAffinity = node
	}
	if affinity == nil && was.Spec.Affinity != nil && *was.Spec.Affinity == (corev1.Affinity{}) {
		was.Spec.Affinity = nil
	}
}

func allowResources(was, containers []corev1.Container) {
	if len(was) != len(containers) {
		return
	}
	for i := range was {
		if was[i].Name == containers[i].Name {
			was[i].Resources = containers[i].Resources
		}
	}
}

func hasCondition(s *batchv1.JobStatus, kind batchv1.JobConditionType) bool {
	return slices.ContainsFunc(s.Conditions, func(c batchv1.JobCondition) bool { return c.Type == kind && c.Status == corev1.ConditionTrue })
}
