package apps

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestCountsFitOneAnother(t *testing.T) {
	for name, c := range map[string]struct {
		errs field.ErrorList
		want []string
	}{
		"deployment": {ValidateDeploymentStatus(
			&appsv1.Deployment{Status: appsv1.DeploymentStatus{Replicas: 2, ReadyReplicas: 3, AvailableReplicas: 1, UnavailableReplicas: -1}},
			&appsv1.Deployment{Status: appsv1.DeploymentStatus{CollisionCount: new(int32(1))}},
		), []string{"status.unavailableReplicas", "status.readyReplicas", "status.collisionCount"}},
		"replica set": {ValidateReplicaSetStatus(
			&appsv1.ReplicaSet{Status: appsv1.ReplicaSetStatus{Replicas: 2, ReadyReplicas: 1, AvailableReplicas: 2, FullyLabeledReplicas: 3}}, &appsv1.ReplicaSet{},
		), []string{"status.fullyLabeledReplicas", "status.availableReplicas"}},
		"stateful set": {ValidateStatefulSetStatus(
			&appsv1.StatefulSet{Status: appsv1.StatefulSetStatus{Replicas: 1, CurrentReplicas: 2, UpdatedReplicas: 2, CollisionCount: new(int32(2))}},
			&appsv1.StatefulSet{Status: appsv1.StatefulSetStatus{CollisionCount: new(int32(1))}},
		), []string{"status.currentReplicas", "status.updatedReplicas"}},
		"daemon set": {ValidateDaemonSetStatus(
			&appsv1.DaemonSet{Status: appsv1.DaemonSetStatus{NumberReady: -1, CollisionCount: new(int32(0))}},
			&appsv1.DaemonSet{Status: appsv1.DaemonSetStatus{CollisionCount: new(int32(1))}},
		), []string{"status.numberReady", "status.collisionCount"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, err := range c.errs {
				got = append(got, err.Field)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
