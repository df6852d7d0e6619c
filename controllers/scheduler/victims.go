package scheduler

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
	"github.com/coracle-k8s/coracle/guard"
)

// evictionsAtOnce bounds the requests that make room for one pod: the loop waits for them.
const evictionsAtOnce = 16

// moreImportant orders pods by priority, then by who has run longer.
func moreImportant(a, b *snapshot.Pod) int {
	if a.Priority != b.Priority {
		return cmp.Compare(b.Priority, a.Priority)
	}
	return startOf(a).Compare(startOf(b))
}

// startOf is when a pod began to run: now, for one that has not.
func startOf(pod *snapshot.Pod) time.Time {
	if pod.Status.StartTime != nil {
		return pod.Status.StartTime.Time
	}
	return time.Now()
}

// compareCandidates puts first the node where evictions harm least: by broken
// budgets, the highest priority among the victims, the sum of priorities,
// their number, and how long the most important have run.
func compareCandidates(a, b candidate) int {
	return cmp.Or(
		cmp.Compare(a.violations, b.violations),
		cmp.Compare(a.victims[0].Priority, b.victims[0].Priority),
		cmp.Compare(a.sum(), b.sum()),
		cmp.Compare(len(a.victims), len(b.victims)),
		b.earliest().Compare(a.earliest()),
	)
}

// sum adds up the priorities, raised so that many negative ones weigh more than few.
func (c candidate) sum() int64 {
	var sum int64
	for _, pod := range c.victims {
		sum += int64(pod.Priority) + 1<<31
	}
	return sum
}

// earliest is the first start among the victims of the highest priority.
func (c candidate) earliest() time.Time {
	earliest := startOf(c.victims[0])
	for _, pod := range c.victims[1:] {
		if start := startOf(pod); pod.Priority == c.victims[0].Priority && start.Before(earliest) {
			earliest = start
		}
	}
	return earliest
}

// budget is a disruption budget, its selector parsed.
type budget struct {
	*policyv1.PodDisruptionBudget
	selector labels.Selector
}

// parsedBudgets has the budgets of each namespace. An empty selector is about all pods of the namespace, as it is when pods
// are evicted; none is about no pod.
func parsedBudgets(all []*policyv1.PodDisruptionBudget) map[string][]budget {
	parsed := map[string][]budget{}
	for _, b := range all {
		if selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector); err == nil {
			parsed[b.Namespace] = append(parsed[b.Namespace], budget{b, selector})
		}
	}
	return parsed
}

// splitByBudget parts pods whose eviction would break a disruption budget,
// given that those before them go too, from the others. Order is kept.
func splitByBudget(pods []*snapshot.Pod, budgets map[string][]budget) (protected, free []*snapshot.Pod) {
	going := map[*policyv1.PodDisruptionBudget]int32{}
	for _, pod := range pods {
		breaks := false
		for _, b := range budgets[pod.Namespace] {
			if _, leaving := b.Status.DisruptedPods[pod.Name]; leaving || !b.selector.Matches(labels.Set(pod.Labels)) {
				continue
			}
			if going[b.PodDisruptionBudget]++; going[b.PodDisruptionBudget] > b.Status.DisruptionsAllowed {
				breaks = true
			}
		}
		if breaks {
			protected = append(protected, pod)
		} else {
			free = append(free, pod)
		}
	}
	return protected, free
}

// evict deletes the victims, says why on each, and withdraws the nominations
// of less important pods, which will not get this room.
func (p *preemptor) evict(ctx context.Context, pod *snapshot.Pod, chosen candidate) error {
	s := p.scheduler
	evictions, evicting := errgroup.WithContext(ctx)
	evictions.SetLimit(evictionsAtOnce)
	for _, victim := range chosen.victims {
		evictions.Go(guard.Func("preempting a pod", func() error { return s.preempt(evicting, pod, victim, chosen.node) }))
	}
	if err := evictions.Wait(); err != nil {
		return err
	}
	for _, other := range s.nominated.On(chosen.node) {
		if other.Priority < pod.Priority {
			s.renounce(other.Pod)
			if err := s.denominate(ctx, other); err != nil && !apierrors.IsNotFound(err) {
				return err
			}
			s.queue.Activate(other.UID)
		}
	}
	return nil
}

func (s *Scheduler) preempt(ctx context.Context, pod, victim *snapshot.Pod, node string) error {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	pods := s.client.CoreV1().Pods(victim.Namespace)
	condition := corev1.PodCondition{
		Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, ObservedGeneration: victim.Generation,
		Reason:             corev1.PodReasonPreemptionByScheduler,
		Message:            s.name + ": preempting to accommodate a higher priority pod",
		LastTransitionTime: metav1.Now(),
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": victim.UID},
		"status":   map[string]any{"conditions": []corev1.PodCondition{condition}},
	})
	if err != nil {
		return fmt.Errorf("encoding status of pod %s/%s: %w", victim.Namespace, victim.Name, err)
	}
	_, err = pods.Patch(ctx, victim.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if err == nil {
		err = pods.Delete(ctx, victim.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(victim.UID))})
	}
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("preempting pod %s/%s: %w", victim.Namespace, victim.Name, err)
	}
	s.events.Eventf(victim.Pod, pod.Pod, corev1.EventTypeNormal, "Preempted", "Preempting", "Preempted by pod %s on node %s", pod.UID, node)
	return nil
}

func (s *Scheduler) denominate(ctx context.Context, pod *snapshot.Pod) error {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	patch := fmt.Appendf(nil, `{"metadata":{"uid":%q},"status":{"nominatedNodeName":null}}`, pod.UID)
	if _, err := s.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		return fmt.Errorf("withdrawing the nomination of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}
