package deployment

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
)

// resized reports whether the Deployment's size was changed since its ReplicaSets were last scaled.
func (r *rollout) resized() bool {
	for _, set := range active(r.all()) {
		if desired, ok := sizeNote(set, desiredAnnotation); ok && desired != *r.d.Spec.Replicas {
			return true
		}
	}
	return false
}

// sizeNote reads a size from an annotation; ok is false where there is none.
func sizeNote(set *appsv1.ReplicaSet, annotation string) (n int32, ok bool) {
	parsed, err := strconv.ParseInt(set.Annotations[annotation], 10, 32)
	if err != nil || parsed < 0 {
		return 0, false
	}
	return int32(parsed), true
}

// scale brings the ReplicaSets to the Deployment's size without moving a rollout on: the only one with Pods, or
// several in proportion.
//
// https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#proportional-scaling
func (r *rollout) scale() {
	if only := r.activeOrLatest(); only != nil {
		r.resize(only, *r.d.Spec.Replicas)
		return
	}
	if r.saturated() {
		for _, set := range active(r.old) {
			r.resize(set, 0)
		}
		return
	}
	if isRolling(r.d) {
		r.scaleInProportion()
	}
}

// activeOrLatest is the one ReplicaSet with Pods, or, if none has any, the latest. Nil if several have.
func (r *rollout) activeOrLatest() *appsv1.ReplicaSet {
	running := active(r.all())
	switch {
	case len(running) == 1:
		return running[0]
	case len(running) > 1:
		return nil
	case r.current != nil:
		return r.current
	case len(r.old) > 0:
		return r.old[len(r.old)-1]
	}
	return nil
}

// saturated reports whether the current ReplicaSet has all its Pods available.
func (r *rollout) saturated() bool {
	if r.current == nil {
		return false
	}
	wanted := *r.d.Spec.Replicas
	desired, ok := sizeNote(r.current, desiredAnnotation)
	return ok && desired == wanted && size(r.current) == wanted && r.current.Status.AvailableReplicas == wanted
}

// scaleInProportion spreads what is to be added or taken over the ReplicaSets by their sizes. What rounding leaves
// goes to the biggest: the newest of these when growing, the oldest when shrinking.
func (r *rollout) scaleInProportion() {
	sets := active(r.all())
	var allowed int32
	if *r.d.Spec.Replicas > 0 {
		allowed = *r.d.Spec.Replicas + surge(r.d)
	}
	add := allowed - total(sets, size)
	slices.SortStableFunc(sets, func(a, b *appsv1.ReplicaSet) int {
		older := byCreation(a, b)
		if add > 0 {
			older = -older
		}
		return cmp.Or(cmp.Compare(size(b), size(a)), older)
	})
	var added int32
	sizes := make([]int32, len(sets))
	for i, set := range sets {
		share := r.share(set, add, added)
		sizes[i] = size(set) + share
		added += share
	}
	if len(sets) > 0 && add != 0 {
		sizes[0] = max(0, sizes[0]+add-added)
	}
	for i, set := range sets {
		r.resize(set, sizes[i])
		r.noteSize(set)
	}
}

// share is the part of add that belongs to one ReplicaSet, of which added is already given away.
func (r *rollout) share(set *appsv1.ReplicaSet, add, added int32) int32 {
	if add == 0 || add == added {
		return 0
	}
	fraction := r.fraction(set)
	if add > 0 {
		return min(fraction, add-added)
	}
	return max(fraction, add-added)
}

// fraction is by how much the ReplicaSet changes if it keeps its share of the Deployment's greatest size.
func (r *rollout) fraction(set *appsv1.ReplicaSet) int32 {
	if *r.d.Spec.Replicas == 0 {
		return -size(set)
	}
	before, ok := sizeNote(set, maxAnnotation)
	if !ok || before == 0 {
		before = r.d.Status.Replicas
	}
	if before == 0 {
		return 0
	}
	after := float64(size(set)) * float64(*r.d.Spec.Replicas+surge(r.d)) / float64(before)
	return int32(math.Round(after)) - size(set)
}
