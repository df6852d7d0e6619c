package statefulset

import (
	"cmp"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/apis/core"
)

// observation is a StatefulSet with its Pods and the two revisions that they may be of.
type observation struct {
	set             *appsv1.StatefulSet
	pods            []*corev1.Pod
	current, update string
	now             time.Time
}

// birth is a Pod to create: its number, and the revision that it is of.
type birth struct {
	ordinal  int
	revision string
}

// plan is what one reconciliation does.
type plan struct {
	create []birth
	remove []*corev1.Pod
	// claims are Pods whose claims may be missing.
	claims []*corev1.Pod
	// label are Pods that lack the labels with their name and number, as adopted ones may.
	label []*corev1.Pod
}

// replicas are the Pods by place, nil where there is none, and those that are too many, the highest number first.
func (o observation) replicas() (replicas, condemned []*corev1.Pod) {
	replicas = make([]*corev1.Pod, ptr.Deref(o.set.Spec.Replicas, 1))
	for _, pod := range o.pods {
		ordinal := ordinalOf(o.set, pod)
		place := ordinal - firstOrdinal(o.set)
		switch {
		case ordinal < 0:
		case place >= 0 && place < len(replicas):
			replicas[place] = pod
		default:
			condemned = append(condemned, pod)
		}
	}
	slices.SortFunc(condemned, func(a, b *corev1.Pod) int { return -cmp.Compare(ordinalOf(o.set, a), ordinalOf(o.set, b)) })
	return replicas, condemned
}

func (o observation) inOrder() bool {
	return o.set.Spec.PodManagementPolicy != appsv1.ParallelPodManagement
}

func (o observation) works(pod *corev1.Pod) bool {
	return pod != nil && pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodRunning &&
		core.PodAvailable(pod, o.set.Spec.MinReadySeconds, o.now)
}

// decide plans the next step: first every place is filled, from the lowest number up, then what is too many goes, from
// the highest number down, and only then Pods of old revisions are replaced. In order means that each step waits until
// the one before it has worked.
//
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#deployment-and-scaling-guarantees
func decide(o observation) plan {
	var p plan
	if o.set.DeletionTimestamp != nil {
		return p
	}
	replicas, condemned := o.replicas()
	for _, pod := range replicas {
		if pod != nil && pod.DeletionTimestamp == nil && !isLabelled(o.set, pod) {
			p.label = append(p.label, pod)
		}
	}
	if !o.fill(replicas, &p) || !o.shrink(replicas, condemned, &p) {
		return p
	}
	if o.set.Spec.UpdateStrategy.Type != appsv1.OnDeleteStatefulSetStrategyType {
		o.roll(replicas, &p)
	}
	return p
}

// fill reports whether all places are taken care of, so that the next phase may come.
func (o observation) fill(replicas []*corev1.Pod, p *plan) bool {
	done := true
	for i, pod := range replicas {
		ordinal := firstOrdinal(o.set) + i
		switch {
		case pod == nil:
			p.create = append(p.create, birth{ordinal: ordinal, revision: o.revisionAt(ordinal)})
		case core.PodTerminal(pod):
			if pod.DeletionTimestamp == nil {
				p.remove = append(p.remove, pod)
			}
			done = false
		case pod.Status.Phase == corev1.PodPending:
			p.claims = append(p.claims, pod)
		}
		if o.inOrder() && !o.works(pod) {
			return false
		}
	}
	return done
}

// revisionAt is the revision that a Pod with the number is made of: below the partition, or as long as a rollout without
// one has not come down to it, the current one.
func (o observation) revisionAt(ordinal int) string {
	strategy := o.set.Spec.UpdateStrategy
	if strategy.Type != appsv1.RollingUpdateStatefulSetStrategyType {
		return o.update
	}
	below := int(o.set.Status.CurrentReplicas)
	if strategy.RollingUpdate != nil {
		below = int(ptr.Deref(strategy.RollingUpdate.Partition, 0))
	}
	if ordinal < firstOrdinal(o.set)+below {
		return o.current
	}
	return o.update
}

// shrink reports whether nothing is too many any more, or in parallel, nothing that is not on its way.
func (o observation) shrink(replicas, condemned []*corev1.Pod, p *plan) bool {
	first := o.firstBroken(replicas, condemned)
	done := true
	for _, pod := range condemned {
		if pod.DeletionTimestamp != nil {
			if o.inOrder() {
				return false
			}
			continue
		}
		// One that does not work must not keep itself, nor the others, from going.
		if o.inOrder() && !o.works(pod) && pod != first {
			return false
		}
		p.remove = append(p.remove, pod)
		if o.inOrder() {
			return false
		}
		done = false
	}
	return done
}

// firstBroken is the Pod with the lowest number that does not work.
func (o observation) firstBroken(replicas, condemned []*corev1.Pod) *corev1.Pod {
	for _, pod := range replicas {
		if pod != nil && !o.works(pod) {
			return pod
		}
	}
	for _, pod := range slices.Backward(condemned) {
		if !o.works(pod) {
			return pod
		}
	}
	return nil
}

// status counts the Pods that there are.
func (o observation) status(collisions *int32) appsv1.StatefulSetStatus {
	s := appsv1.StatefulSetStatus{
		ObservedGeneration: o.set.Generation, CurrentRevision: o.current, UpdateRevision: o.update,
		CollisionCount: ptr.To(ptr.Deref(collisions, 0)), Conditions: o.set.Status.Conditions,
	}
	for _, pod := range o.pods {
		s.Replicas++
		if pod.Status.Phase == corev1.PodRunning && core.PodReady(pod) {
			s.ReadyReplicas++
			if core.PodAvailable(pod, o.set.Spec.MinReadySeconds, o.now) {
				s.AvailableReplicas++
			}
		}
		if pod.DeletionTimestamp != nil {
			continue
		}
		if revisionName(pod) == o.current {
			s.CurrentReplicas++
		}
		if revisionName(pod) == o.update {
			s.UpdatedReplicas++
		}
	}
	wanted := ptr.Deref(o.set.Spec.Replicas, 1)
	rolling := o.set.Spec.UpdateStrategy.Type == appsv1.RollingUpdateStatefulSetStrategyType
	if rolling && s.UpdatedReplicas == wanted && s.ReadyReplicas == wanted && s.Replicas == wanted {
		s.CurrentReplicas, s.CurrentRevision = s.UpdatedReplicas, s.UpdateRevision
	}
	return s
}

// nextAvailable is when the next ready Pod counts as available; zero for never.
func (o observation) nextAvailable() time.Duration {
	var next time.Duration
	for _, pod := range o.pods {
		if !core.PodReady(pod) {
			continue
		}
		if left := core.PodAvailableIn(pod, o.set.Spec.MinReadySeconds, o.now); left > 0 && (next == 0 || left < next) {
			next = left
		}
	}
	return next
}
