package scheduler

import (
	"context"
	"math/rand/v2"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/sets"
	policylisters "k8s.io/client-go/listers/policy/v1"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

const (
	unhelpful = "Preemption is not helpful for scheduling"
	noVictims = "No preemption victims found for incoming pod"
)

// preemptor makes room for a pod by evicting less important ones.
type preemptor struct {
	scheduler *Scheduler
	budgets   policylisters.PodDisruptionBudgetLister
}

func newPreemptor(s *Scheduler) *preemptor {
	return &preemptor{scheduler: s, budgets: s.informers.Policy().V1().PodDisruptionBudgets().Lister()}
}

// consider looks for a node where evictions would let the pod in. It adds to
// the rejection what came of it, and returns it; evictions have then begun.
func (p *preemptor) consider(ctx context.Context, c *cycle, r *rejection) error {
	if reason := ineligible(c, r); reason != "" {
		r.preemption = "preemption: " + reason
		return r
	}
	budgets, err := p.budgets.List(labels.Everything())
	if err != nil {
		return err
	}
	r.settled = true
	candidates, statuses := c.candidatesForPreemption(r, parsedBudgets(budgets))
	if len(candidates) == 0 {
		all := &rejection{nodes: r.nodes, byNode: statuses}
		for _, node := range c.nodes.Nodes {
			if statuses[node.Name] == nil {
				statuses[node.Name] = framework.Reject(framework.Unresolvable, unhelpful)
			}
		}
		r.preemption = "preemption: " + all.Error()
		return r
	}
	best := slices.MinFunc(candidates, compareCandidates)
	if err := p.evict(ctx, c.pod, best); err != nil {
		return err
	}
	r.nominee = best.node
	return r
}

// ineligible says why a pod may not make others go, if so.
func ineligible(c *cycle, r *rejection) string {
	if policy := c.pod.Spec.PreemptionPolicy; policy != nil && *policy == corev1.PreemptNever {
		return "not eligible due to preemptionPolicy=Never."
	}
	nominee := c.nodes.Node(c.nominated)
	if nominee == nil {
		return ""
	}
	if status := r.byNode[nominee.Name]; status != nil && status.Code == framework.Unresolvable {
		return ""
	}
	for _, pod := range nominee.Pods {
		if pod.Priority < c.pod.Priority && leavingForPreemption(pod.Pod) {
			return "not eligible due to a terminating pod on the nominated node."
		}
	}
	return ""
}

func leavingForPreemption(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp == nil {
		return false
	}
	condition := core.PodCondition(pod, corev1.DisruptionTarget)
	return condition != nil && condition.Status == corev1.ConditionTrue && condition.Reason == corev1.PodReasonPreemptionByScheduler
}

// candidate is a node, and the pods that would have to go there: the most important first.
type candidate struct {
	node       string
	victims    []*snapshot.Pod
	violations int
}

// candidatesForPreemption tries the nodes that other pods keep this one from,
// until there are enough. The statuses are of those where it does not help.
func (c *cycle) candidatesForPreemption(r *rejection, budgets map[string][]budget) ([]candidate, map[string]*framework.Status) {
	var potential []*snapshot.Node
	for _, node := range c.nodes.Nodes {
		if status := r.byNode[node.Name]; status != nil && status.Code == framework.Unschedulable {
			potential = append(potential, node)
		}
	}
	statuses := map[string]*framework.Status{}
	var candidates []candidate
	if len(potential) == 0 {
		return nil, statuses
	}
	enoughCandidates := max(len(potential)/10, enough)
	offset, harmless := rand.IntN(len(potential)), 0
	for i := range potential {
		node := potential[(offset+i)%len(potential)]
		found, status := c.victims(node, budgets)
		if status != nil {
			statuses[node.Name] = status
			continue
		}
		candidates = append(candidates, found)
		if found.violations == 0 {
			harmless++
		}
		if harmless > 0 && len(candidates) >= enoughCandidates {
			break
		}
	}
	return candidates, statuses
}

// victims finds the smallest set of pods, of the least importance, without
// which the pod fits a node: all less important pods go, and those come back
// that can, first the ones that budgets protect.
func (c *cycle) victims(node *snapshot.Node, budgets map[string][]budget) (candidate, *framework.Status) {
	var potential []*snapshot.Pod
	for _, pod := range node.Pods {
		if pod.Priority < c.pod.Priority {
			potential = append(potential, pod)
		}
	}
	if len(potential) == 0 {
		return candidate{}, framework.Reject(framework.Unresolvable, noVictims)
	}
	trial := node.Clone()
	for _, pod := range potential {
		c.remove(trial, pod)
	}
	found := candidate{node: node.Name}
	status := c.fits(trial)
	gone := sets.New(potential...)
	if status == nil {
		slices.SortFunc(potential, moreImportant)
		protected, free := splitByBudget(potential, budgets)
		for _, pod := range slices.Concat(protected, free) {
			c.add(trial, pod)
			if c.fits(trial) == nil {
				gone.Delete(pod)
				continue
			}
			c.remove(trial, pod)
			found.victims = append(found.victims, pod)
			if len(found.victims) > 0 && slices.Contains(protected, pod) {
				found.violations++
			}
		}
	}
	for pod := range gone {
		c.add(trial, pod)
	}
	slices.SortFunc(found.victims, moreImportant)
	if status == nil && len(found.victims) == 0 {
		status = framework.Reject(framework.Unresolvable, noVictims)
	}
	return found, status
}
