package deployment

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// plan is what one reconciliation does, in this order: create the new ReplicaSet, write changed ones, delete old ones,
// write the status.
type plan struct {
	create   *appsv1.ReplicaSet
	changes  []change
	remove   []*appsv1.ReplicaSet
	status   appsv1.DeploymentStatus
	revision string
	// again is when the progress deadline may have passed; zero for never.
	again time.Duration
}

// change is a ReplicaSet as it is to be written, and the size it had.
type change struct {
	set  *appsv1.ReplicaSet
	from int32
}

// rollout is a Deployment between observation and plan: its ReplicaSets as they will be after what was decided so far.
type rollout struct {
	d   *appsv1.Deployment
	now time.Time
	// current has the Deployment's template; nil if there is none yet. old are the others, oldest first.
	current *appsv1.ReplicaSet
	old     []*appsv1.ReplicaSet
	// original maps each to what was observed, which is never written to.
	original map[*appsv1.ReplicaSet]*appsv1.ReplicaSet
	order    []*appsv1.ReplicaSet
	isNew    bool
	base     appsv1.DeploymentStatus
	plan     plan
}

// decide plans the next step of a Deployment that owns sets. It fails for a Deployment that validation never lets by.
//
// https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
func decide(d *appsv1.Deployment, sets []*appsv1.ReplicaSet, now time.Time) (plan, error) {
	if d.Spec.Replicas == nil {
		return plan{}, fmt.Errorf("it has no number of replicas")
	}
	r := newRollout(d, sets, now)
	switch {
	case d.DeletionTimestamp != nil:
		r.syncCurrent()
		r.finish(false)
	case d.Spec.Paused:
		r.notePause()
		r.syncCurrent()
		r.scale()
		r.cleanUp()
		r.finish(false)
	default:
		r.notePause()
		r.syncCurrent()
		if r.resized() {
			r.scale()
			r.finish(false)
			break
		}
		if err := r.advance(); err != nil {
			return plan{}, err
		}
		r.finish(true)
	}
	return r.plan, nil
}

func newRollout(d *appsv1.Deployment, sets []*appsv1.ReplicaSet, now time.Time) *rollout {
	r := &rollout{d: d, now: now, original: map[*appsv1.ReplicaSet]*appsv1.ReplicaSet{}, base: *d.Status.DeepCopy()}
	for _, set := range slices.SortedFunc(slices.Values(sets), byCreation) {
		draft := set.DeepCopy()
		r.original[draft] = set
		r.order = append(r.order, draft)
		if r.current == nil && sameTemplate(&set.Spec.Template, &d.Spec.Template) {
			r.current = draft
			continue
		}
		r.old = append(r.old, draft)
	}
	return r
}

func byCreation(a, b *appsv1.ReplicaSet) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
}

// all returns every ReplicaSet, the current one last.
func (r *rollout) all() []*appsv1.ReplicaSet {
	all := slices.Clone(r.old)
	if r.current != nil {
		all = append(all, r.current)
	}
	return all
}

func active(sets []*appsv1.ReplicaSet) []*appsv1.ReplicaSet {
	var some []*appsv1.ReplicaSet
	for _, set := range sets {
		if size(set) > 0 {
			some = append(some, set)
		}
	}
	return some
}

func size(set *appsv1.ReplicaSet) int32 { return *set.Spec.Replicas }

func total(sets []*appsv1.ReplicaSet, count func(*appsv1.ReplicaSet) int32) int32 {
	var sum int32
	for _, set := range sets {
		sum += count(set)
	}
	return sum
}

// notePause keeps the progress deadline from running while a Deployment is paused.
func (r *rollout) notePause() {
	if !hasDeadline(r.d) {
		return
	}
	progressing := getCondition(&r.base, appsv1.DeploymentProgressing)
	if progressing != nil && progressing.Reason == reasonTimedOut {
		return
	}
	noted := progressing != nil && progressing.Reason == reasonPaused
	switch {
	case r.d.Spec.Paused && !noted:
		r.note(corev1.ConditionUnknown, reasonPaused, "Deployment is paused")
	case !r.d.Spec.Paused && noted:
		r.note(corev1.ConditionUnknown, reasonResumed, "Deployment is resumed")
	}
}

func (r *rollout) note(status corev1.ConditionStatus, reason, message string) {
	setCondition(&r.base, condition(appsv1.DeploymentProgressing, status, reason, message, r.now))
}

// advance takes the next step of the strategy.
func (r *rollout) advance() error {
	switch r.d.Spec.Strategy.Type {
	case appsv1.RecreateDeploymentStrategyType:
		r.advanceRecreate()
	case appsv1.RollingUpdateDeploymentStrategyType:
		r.advanceRolling()
	default:
		return fmt.Errorf("unexpected deployment strategy type: %s", r.d.Spec.Strategy.Type)
	}
	return nil
}

// finish collects what changed and computes the status.
func (r *rollout) finish(estimate bool) {
	for _, draft := range r.order {
		if observed := r.original[draft]; !sameSet(observed, draft) {
			r.plan.changes = append(r.plan.changes, change{set: draft, from: size(observed)})
		}
	}
	if r.isNew {
		r.plan.create = r.current
	}
	r.plan.status = r.status()
	if estimate {
		r.estimateProgress(&r.plan.status)
		r.plan.again = r.untilDeadline(&r.plan.status)
	}
}

// cleanUp removes the oldest ReplicaSets beyond the history limit, if they have no Pods and say so about their
// present specification.
func (r *rollout) cleanUp() {
	limit := r.d.Spec.RevisionHistoryLimit
	if limit == nil || *limit == math.MaxInt32 {
		return
	}
	alive := slices.DeleteFunc(slices.Clone(r.old), func(set *appsv1.ReplicaSet) bool { return set.DeletionTimestamp != nil })
	surplus := len(alive) - int(*limit)
	if surplus <= 0 {
		return
	}
	slices.SortStableFunc(alive, func(a, b *appsv1.ReplicaSet) int {
		revisionA, okA := revision(a)
		revisionB, okB := revision(b)
		if !okA || !okB {
			return byCreation(a, b)
		}
		return cmp.Or(cmp.Compare(revisionA, revisionB), byCreation(a, b))
	})
	for _, set := range alive[:surplus] {
		if set.Status.Replicas == 0 && size(r.original[set]) == 0 && set.Generation <= set.Status.ObservedGeneration {
			r.plan.remove = append(r.plan.remove, r.original[set])
		}
	}
}
