package apps

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/recorded"
)

func TestAnswersAsRecorded(t *testing.T) {
	recorded.Check(t, map[string]recorded.Kind{
		"ControllerRevision": recorded.Of(nil, func(r *appsv1.ControllerRevision) field.ErrorList {
			return append(ValidateControllerRevision(r), ValidateControllerRevisionCreate(r)...)
		}, ValidateControllerRevisionUpdate),
		"DaemonSet": recorded.Of(DefaultDaemonSet, ValidateDaemonSet, func(ds, old *appsv1.DaemonSet) field.ErrorList {
			return append(ValidateDaemonSetUpdate(ds, old), ValidateDaemonSet(ds)...)
		}),
		"Deployment":  recorded.Of(DefaultDeployment, ValidateDeployment, ValidateDeploymentUpdate),
		"ReplicaSet":  recorded.Of(DefaultReplicaSet, ValidateReplicaSet, ValidateReplicaSetUpdate),
		"StatefulSet": recorded.Of(DefaultStatefulSet, ValidateStatefulSet, ValidateStatefulSetUpdate),
	})
}
