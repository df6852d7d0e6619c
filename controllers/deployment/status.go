package deployment

import (
	"fmt"
	"math"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Reasons of the Progressing condition. kubectl rollout status reads some of them.
const (
	reasonUpdated      = "ReplicaSetUpdated"
	reasonCreateFailed = "ReplicaSetCreateError"
	reasonCreated      = "NewReplicaSetCreated"
	reasonFound        = "FoundNewReplicaSet"
	reasonAvailable    = "NewReplicaSetAvailable"
	reasonTimedOut     = "ProgressDeadlineExceeded"
	reasonPaused       = "DeploymentPaused"
	reasonResumed      = "DeploymentResumed"
)

func condition(kind appsv1.DeploymentConditionType, status corev1.ConditionStatus, reason, message string, now time.Time) appsv1.DeploymentCondition {
	return appsv1.DeploymentCondition{
		Type: kind, Status: status, Reason: reason, Message: message,
		LastUpdateTime: metav1.NewTime(now), LastTransitionTime: metav1.NewTime(now),
	}
}

// getCondition returns a pointer into status, or nil.
func getCondition(status *appsv1.DeploymentStatus, kind appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
	for i := range status.Conditions {
		if status.Conditions[i].Type == kind {
			return &status.Conditions[i]
		}
	}
	return nil
}

// setCondition leaves a condition with the same status and reason as it is, and keeps the transition time where only
// the reason changes.
func setCondition(status *appsv1.DeploymentStatus, c appsv1.DeploymentCondition) {
	if old := getCondition(status, c.Type); old != nil {
		if old.Status == c.Status && old.Reason == c.Reason {
			return
		}
		if old.Status == c.Status {
			c.LastTransitionTime = old.LastTransitionTime
		}
	}
	removeCondition(status, c.Type)
	status.Conditions = append(status.Conditions, c)
}

func removeCondition(status *appsv1.DeploymentStatus, kind appsv1.DeploymentConditionType) {
	status.Conditions = slices.DeleteFunc(status.Conditions, func(c appsv1.DeploymentCondition) bool { return c.Type == kind })
}

// hasDeadline: the largest number means none.
func hasDeadline(d *appsv1.Deployment) bool {
	return d.Spec.ProgressDeadlineSeconds != nil && *d.Spec.ProgressDeadlineSeconds != math.MaxInt32
}

// complete reports whether all Pods are available and of the current template, and no others are left.
func complete(d *appsv1.Deployment, status *appsv1.DeploymentStatus) bool {
	wanted := *d.Spec.Replicas
	return status.UpdatedReplicas == wanted && status.Replicas == wanted && status.AvailableReplicas == wanted &&
		status.ObservedGeneration >= d.Generation
}

// status sums up the ReplicaSets' statuses.
func (r *rollout) status() appsv1.DeploymentStatus {
	all := r.all()
	status := appsv1.DeploymentStatus{
		ObservedGeneration:  r.d.Generation,
		Replicas:            total(all, func(set *appsv1.ReplicaSet) int32 { return set.Status.Replicas }),
		ReadyReplicas:       total(all, func(set *appsv1.ReplicaSet) int32 { return set.Status.ReadyReplicas }),
		AvailableReplicas:   total(all, available),
		TerminatingReplicas: terminating(all),
		CollisionCount:      r.base.CollisionCount,
		Conditions:          slices.Clone(r.base.Conditions),
	}
	if r.current != nil {
		status.UpdatedReplicas = r.current.Status.Replicas
	}
	status.UnavailableReplicas = max(0, total(all, size)-status.AvailableReplicas)
	availability := condition(appsv1.DeploymentAvailable, corev1.ConditionFalse, "MinimumReplicasUnavailable",
		"Deployment does not have minimum availability.", r.now)
	if status.AvailableReplicas >= *r.d.Spec.Replicas-maxUnavailable(r.d) {
		availability = condition(appsv1.DeploymentAvailable, corev1.ConditionTrue, "MinimumReplicasAvailable",
			"Deployment has minimum availability.", r.now)
	}
	setCondition(&status, availability)
	return status
}

// terminating is unknown as long as one ReplicaSet's is.
func terminating(sets []*appsv1.ReplicaSet) *int32 {
	var sum int32
	for _, set := range sets {
		switch n := set.Status.TerminatingReplicas; {
		case n != nil:
			sum += *n
		case set.Status.ObservedGeneration != 0:
			return nil
		}
	}
	return &sum
}

// estimateProgress sets the Progressing condition by what changed since the last status, and passes on a ReplicaSet's
// failure.
func (r *rollout) estimateProgress(status *appsv1.DeploymentStatus) {
	if !hasDeadline(r.d) {
		removeCondition(status, appsv1.DeploymentProgressing)
	} else if !r.wasComplete(status) {
		r.setProgress(status)
	}
	if failure := r.failure(); failure != nil {
		setCondition(status, *failure)
	} else {
		removeCondition(status, appsv1.DeploymentReplicaFailure)
	}
}

// wasComplete reports whether no rollout is under way: what changes then is not progress.
func (r *rollout) wasComplete(status *appsv1.DeploymentStatus) bool {
	progressing := getCondition(&r.base, appsv1.DeploymentProgressing)
	return status.Replicas == status.UpdatedReplicas && progressing != nil && progressing.Reason == reasonAvailable
}

func (r *rollout) setProgress(status *appsv1.DeploymentStatus) {
	what := fmt.Sprintf("Deployment %q", r.d.Name)
	if r.current != nil {
		what = fmt.Sprintf("ReplicaSet %q", r.current.Name)
	}
	switch {
	case complete(r.d, status):
		setCondition(status, condition(appsv1.DeploymentProgressing, corev1.ConditionTrue, reasonAvailable,
			what+" has successfully progressed.", r.now))
	case progressed(&r.d.Status, status):
		c := condition(appsv1.DeploymentProgressing, corev1.ConditionTrue, reasonUpdated, what+" is progressing.", r.now)
		// Each progress restarts the deadline: lastUpdateTime moves even where status and reason stay.
		if old := getCondition(status, appsv1.DeploymentProgressing); old != nil && old.Status == corev1.ConditionTrue {
			c.LastTransitionTime = old.LastTransitionTime
		}
		removeCondition(status, appsv1.DeploymentProgressing)
		status.Conditions = append(status.Conditions, c)
	case r.timedOut(status):
		setCondition(status, condition(appsv1.DeploymentProgressing, corev1.ConditionFalse, reasonTimedOut,
			what+" has timed out progressing.", r.now))
	}
}

// progressed: more updated, ready or available Pods, or fewer old ones.
func progressed(before, after *appsv1.DeploymentStatus) bool {
	return after.UpdatedReplicas > before.UpdatedReplicas ||
		after.Replicas-after.UpdatedReplicas < before.Replicas-before.UpdatedReplicas ||
		after.ReadyReplicas > before.ReadyReplicas ||
		after.AvailableReplicas > before.AvailableReplicas
}

func (r *rollout) deadline(progressing *appsv1.DeploymentCondition) time.Time {
	return progressing.LastUpdateTime.Add(time.Duration(*r.d.Spec.ProgressDeadlineSeconds) * time.Second)
}

func (r *rollout) timedOut(status *appsv1.DeploymentStatus) bool {
	progressing := getCondition(status, appsv1.DeploymentProgressing)
	switch {
	case progressing == nil || progressing.Reason == reasonAvailable:
		return false
	case progressing.Reason == reasonTimedOut:
		return true
	}
	return r.deadline(progressing).Before(r.now)
}

// untilDeadline is how long until a look at the clock may find the deadline passed; zero for never. Times are stored
// in whole seconds, hence the second on top.
func (r *rollout) untilDeadline(status *appsv1.DeploymentStatus) time.Duration {
	progressing := getCondition(status, appsv1.DeploymentProgressing)
	if !hasDeadline(r.d) || progressing == nil || complete(r.d, status) {
		return 0
	}
	if progressing.Reason == reasonTimedOut || progressing.Reason == reasonAvailable {
		return 0
	}
	return max(0, r.deadline(progressing).Sub(r.now)) + time.Second
}

// failure is the current ReplicaSet's ReplicaFailure condition, or else any other's.
func (r *rollout) failure() *appsv1.DeploymentCondition {
	candidates := slices.Clone(r.old)
	if r.current != nil {
		candidates = slices.Insert(candidates, 0, r.current)
	}
	for _, set := range candidates {
		for _, c := range set.Status.Conditions {
			if c.Type == appsv1.ReplicaSetReplicaFailure {
				return &appsv1.DeploymentCondition{
					Type: appsv1.DeploymentReplicaFailure, Status: c.Status, Reason: c.Reason, Message: c.Message,
					LastUpdateTime: c.LastTransitionTime, LastTransitionTime: c.LastTransitionTime,
				}
			}
		}
	}
	return nil
}
