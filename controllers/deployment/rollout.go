package deployment

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// advanceRolling grows the current ReplicaSet, or else shrinks old ones, within maxSurge and maxUnavailable.
func (r *rollout) advanceRolling() {
	r.ensureCurrent()
	before := size(r.current)
	if before > *r.d.Spec.Replicas {
		r.resize(r.current, *r.d.Spec.Replicas)
	} else if before < *r.d.Spec.Replicas {
		r.resize(r.current, r.grown())
	}
	if size(r.current) != before || r.shrinkOld() {
		return
	}
	if complete(r.d, &r.d.Status) {
		r.cleanUp()
	}
}

// advanceRecreate empties old ReplicaSets, waits until their Pods are gone, and only then fills the current one.
func (r *rollout) advanceRecreate() {
	running := active(r.old)
	for _, set := range running {
		r.resize(set, 0)
	}
	if len(running) > 0 || total(r.old, podsLeft) > 0 {
		return
	}
	r.ensureCurrent()
	r.resize(r.current, *r.d.Spec.Replicas)
	if complete(r.d, &r.d.Status) {
		r.cleanUp()
	}
}

// podsLeft counts Pods that still run or are on their way out. A set whose status is of before its last change may have
// Pods that it does not tell of yet: one at least.
func podsLeft(set *appsv1.ReplicaSet) int32 {
	if set.Status.ObservedGeneration < set.Generation {
		return max(1, set.Status.Replicas)
	}
	left := set.Status.Replicas
	if set.Status.TerminatingReplicas != nil {
		left += *set.Status.TerminatingReplicas
	}
	return left
}

// grown is the size to which the current ReplicaSet may grow now.
func (r *rollout) grown() int32 {
	wanted := *r.d.Spec.Replicas
	if r.d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		return wanted
	}
	room := wanted + surge(r.d) - total(r.all(), size)
	if room <= 0 {
		return size(r.current)
	}
	return size(r.current) + min(room, wanted-size(r.current))
}

// shrinkOld takes Pods from old ReplicaSets, first those that are not available anyway, then as many as availability
// allows. It reports whether it took any.
func (r *rollout) shrinkOld() bool {
	old := active(r.old)
	if len(old) == 0 {
		return false
	}
	minAvailable := *r.d.Spec.Replicas - maxUnavailable(r.d)
	currentUnavailable := size(r.current) - r.current.Status.AvailableReplicas
	most := total(r.all(), size) - minAvailable - currentUnavailable
	if most <= 0 {
		return false
	}
	taken := r.take(old, most, func(set *appsv1.ReplicaSet) int32 { return size(set) - set.Status.AvailableReplicas })
	spare := total(append(slices.Clone(old), r.current), available) - minAvailable
	return taken+r.take(old, spare, size) > 0
}

func available(set *appsv1.ReplicaSet) int32 { return set.Status.AvailableReplicas }

// take shrinks the sets, oldest first, by at most most Pods in all, and each by at most what spare says.
func (r *rollout) take(sets []*appsv1.ReplicaSet, most int32, spare func(*appsv1.ReplicaSet) int32) int32 {
	var taken int32
	for _, set := range sets {
		if n := min(most-taken, spare(set)); n > 0 {
			r.resize(set, size(set)-n)
			taken += n
		}
	}
	return taken
}

// resize changes the size of a draft, and with it the note of what the Deployment's size was at that time.
func (r *rollout) resize(set *appsv1.ReplicaSet, to int32) {
	if size(set) == to && !(r.isNew && set == r.current) {
		return
	}
	*set.Spec.Replicas = to
	r.noteSize(set)
}

// noteSize writes down the Deployment's present size, from which resized and proportional scaling are told.
func (r *rollout) noteSize(set *appsv1.ReplicaSet) {
	if set.Annotations == nil {
		set.Annotations = map[string]string{}
	}
	set.Annotations[desiredAnnotation] = fmt.Sprint(*r.d.Spec.Replicas)
	set.Annotations[maxAnnotation] = fmt.Sprint(*r.d.Spec.Replicas + surge(r.d))
}

func isRolling(d *appsv1.Deployment) bool {
	return d.Spec.Strategy.Type == appsv1.RollingUpdateDeploymentStrategyType && d.Spec.Strategy.RollingUpdate != nil
}

// surge is how many Pods more than wanted there may be.
func surge(d *appsv1.Deployment) int32 {
	if !isRolling(d) {
		return 0
	}
	return scaled(d.Spec.Strategy.RollingUpdate.MaxSurge, *d.Spec.Replicas, true)
}

// maxUnavailable is how many Pods fewer than wanted there may be. Where both bounds come to zero it is one, or else
// nothing could ever move.
func maxUnavailable(d *appsv1.Deployment) int32 {
	if !isRolling(d) || *d.Spec.Replicas == 0 {
		return 0
	}
	n := scaled(d.Spec.Strategy.RollingUpdate.MaxUnavailable, *d.Spec.Replicas, false)
	if n == 0 && surge(d) == 0 {
		n = 1
	}
	return min(n, *d.Spec.Replicas)
}

// scaled treats what validation would have refused as zero.
func scaled(value *intstr.IntOrString, of int32, up bool) int32 {
	if value == nil {
		return 0
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(value, int(of), up)
	if err != nil {
		return 0
	}
	return int32(n)
}
