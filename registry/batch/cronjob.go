package batch

import (
	"context"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/batch"
	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type cronJob = batchv1.CronJob

// CronJobs make jobs by the clock.
func cronJobs() *resource.Resource[*cronJob] {
	return resource.Define(resource.Definition[*cronJob]{
		Name: "cronjobs", Short: []string{"cj"}, Categories: []string{"all"}, Namespaced: true,
		Default:        batch.DefaultCronJob,
		Gated:          gated(func(c *cronJob) *batchv1.JobSpec { return &c.Spec.JobTemplate.Spec }),
		Tolerates:      core.TolerateTemplate(func(c *cronJob) *corev1.PodTemplateSpec { return &c.Spec.JobTemplate.Spec.Template }),
		Generation:     func(c *cronJob) any { return &c.Spec },
		ValidateCreate: batch.ValidateCronJob,
		ValidateUpdate: batch.ValidateCronJobUpdate,
		Warnings: func(_ context.Context, c, old *cronJob) []string {
			template, at := &c.Spec.JobTemplate.Spec.Template, field.NewPath("spec", "jobTemplate", "spec", "template")
			if old == nil {
				return append(nameWarnings(c.Name), core.PodTemplateWarnings(template, nil, at)...)
			}
			var all []string
			if c.Generation != old.Generation {
				all = core.PodTemplateWarnings(template, &old.Spec.JobTemplate.Spec.Template, at)
			}
			if strings.Contains(c.Spec.Schedule, "TZ") {
				all = append(all, "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details")
			}
			return all
		},
		Columns: append([]resource.Column[*cronJob]{
			{Name: "Schedule", Description: doc("schedule"), Cell: func(c *cronJob) any { return c.Spec.Schedule }},
			{Name: "Timezone", Description: doc("timeZone"), Cell: func(c *cronJob) any { return column.Text(c.Spec.TimeZone, "<none>") }},
			{Name: "Suspend", Type: "boolean", Description: doc("suspend"), Cell: suspended},
			{Name: "Active", Type: "integer", Description: batchv1.CronJobStatus{}.SwaggerDoc()["active"], Cell: func(c *cronJob) any { return int64(len(c.Status.Active)) }},
			{Name: "Last Schedule", Description: batchv1.CronJobStatus{}.SwaggerDoc()["lastScheduleTime"], Cell: lastSchedule},
		}, wide(
			func(c *cronJob) *corev1.PodTemplateSpec { return &c.Spec.JobTemplate.Spec.Template },
			func(c *cronJob) *metav1.LabelSelector { return c.Spec.JobTemplate.Spec.Selector },
		)...),
		CopyStatus: func(into, from *cronJob) { into.Status = from.Status },
		Status:     &resource.Part[*cronJob]{},
	})
}

func doc(name string) string { return batchv1.CronJobSpec{}.SwaggerDoc()[name] }

func suspended(c *cronJob) any {
	switch {
	case c.Spec.Suspend == nil:
		return "<unset>"
	case *c.Spec.Suspend:
		return "True"
	}
	return "False"
}

func lastSchedule(c *cronJob) any {
	if c.Status.LastScheduleTime == nil {
		return "<none>"
	}
	return resource.Age(c.Status.LastScheduleTime.Time)
}
