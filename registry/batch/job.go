package batch

import (
	"context"
	"fmt"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/coracle-k8s/coracle/apis/batch"
	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/apis/feature"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type job = batchv1.Job

// Jobs run pods to completion. Deleting one without saying how leaves its pods: kept from the API's first days.
func jobs() *resource.Resource[*job] {
	return resource.Define(resource.Definition[*job]{
		Name: "jobs", Categories: []string{"all"}, Namespaced: true,
		Default:          batch.DefaultJob,
		PrepareForCreate: func(_ context.Context, j *job) { batch.GenerateSelector(j) },
		Gated:            gated(func(j *job) *batchv1.JobSpec { return &j.Spec }),
		Tolerates:        core.TolerateTemplate(func(j *job) *corev1.PodTemplateSpec { return &j.Spec.Template }),
		Generation:       func(j *job) any { return &j.Spec },
		ValidateCreate:   batch.ValidateJob,
		ValidateUpdate:   batch.ValidateJobUpdate,
		Warnings: func(_ context.Context, j, old *job) []string {
			at := field.NewPath("spec", "template")
			switch {
			case old == nil:
				return append(nameWarnings(j.Name), core.PodTemplateWarnings(&j.Spec.Template, nil, at)...)
			case j.Generation == old.Generation:
				return nil
			}
			return core.PodTemplateWarnings(&j.Spec.Template, &old.Spec.Template, at)
		},
		Dependents:    rest.OrphanDependents,
		OrphanWarning: "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning",
		UnknownField:  `field label "%s" not supported for Job`,
		Fields: []resource.Field[*job]{
			{Path: "status.successful", Value: func(j *job) string { return strconv.Itoa(int(j.Status.Succeeded)) }},
		},
		Columns: append([]resource.Column[*job]{
			{Name: "Status", Description: "Status of the job.", Cell: jobStatus},
			{Name: "Completions", Description: batchv1.JobStatus{}.SwaggerDoc()["succeeded"], Cell: completions},
			{Name: "Duration", Description: "Time required to complete the job.", Cell: jobDuration},
		}, wide(
			func(j *job) *corev1.PodTemplateSpec { return &j.Spec.Template },
			func(j *job) *metav1.LabelSelector { return j.Spec.Selector },
		)...),
		CopyStatus: func(into, from *job) { into.Status = from.Status },
		Status:     &resource.Part[*job]{Validate: batch.ValidateJobStatus},
	})
}

func wide[T resource.Object](template func(T) *corev1.PodTemplateSpec, selector func(T) *metav1.LabelSelector) []resource.Column[T] {
	return append(column.Containers(template), column.Selector(batchv1.JobSpec{}.SwaggerDoc()["selector"], selector))
}

func nameWarnings(name string) []string {
	if messages := validation.IsDNS1123Label(name); len(messages) > 0 {
		return []string{fmt.Sprintf("metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: %v", messages)}
	}
	return nil
}

func jobStatus(j *job) any {
	is := map[batchv1.JobConditionType]bool{}
	for _, c := range j.Status.Conditions {
		is[c.Type] = c.Status == corev1.ConditionTrue
	}
	switch {
	case is[batchv1.JobComplete]:
		return "Complete"
	case is[batchv1.JobFailed]:
		return "Failed"
	case j.DeletionTimestamp != nil:
		return "Terminating"
	case is[batchv1.JobSuspended]:
		return "Suspended"
	case is[batchv1.JobFailureTarget]:
		return "FailureTarget"
	case is[batchv1.JobSuccessCriteriaMet]:
		return "SuccessCriteriaMet"
	}
	return "Running"
}

func completions(j *job) any {
	switch {
	case j.Spec.Completions != nil:
		return fmt.Sprintf("%d/%d", j.Status.Succeeded, *j.Spec.Completions)
	case column.Int(j.Spec.Parallelism) > 1:
		return fmt.Sprintf("%d/1 of %d", j.Status.Succeeded, *j.Spec.Parallelism)
	}
	return fmt.Sprintf("%d/1", j.Status.Succeeded)
}

func jobDuration(j *job) any {
	switch start, end := j.Status.StartTime, j.Status.CompletionTime; {
	case start == nil:
		return ""
	case end == nil:
		return duration.HumanDuration(time.Since(start.Time))
	default:
		return duration.HumanDuration(end.Sub(start.Time))
	}
}

// gated are the fields of Jobs whose features are off by default, where spec finds one.
func gated[T resource.Object](spec func(T) *batchv1.JobSpec) []feature.Field[T] {
	return append(feature.In(batch.GatedJobSpec(), spec), core.GatedTemplate(func(obj T) *corev1.PodTemplateSpec { return &spec(obj).Template })...)
}
