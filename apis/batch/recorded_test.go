package batch

import (
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/recorded"
)

func TestAnswersAsRecorded(t *testing.T) {
	recorded.Check(t, map[string]recorded.Kind{
		"CronJob": recorded.Of(DefaultCronJob, ValidateCronJob, ValidateCronJobUpdate),
		"Job": recorded.Of(func(j *batchv1.Job) {
			DefaultJob(j)
			if j.Name == "" {
				j.Name = "unnamed" // metadata fails: not the point here
			}
		}, func(j *batchv1.Job) field.ErrorList {
			j.UID = "UUID" // as answers call all UIDs
			GenerateSelector(j)
			return ValidateJob(j)
		}, func(j, old *batchv1.Job) field.ErrorList {
			j.UID, old.UID = "UUID", "UUID"
			GenerateSelector(old)
			return ValidateJobUpdate(j, old)
		}),
	})
}
