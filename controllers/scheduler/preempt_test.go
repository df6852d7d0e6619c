package scheduler

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/plugins/noderesources"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

func parsed(t *testing.T, p *corev1.Pod) *snapshot.Pod {
	t.Helper()
	made, err := snapshot.NewPod(p)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func onNode(t *testing.T, name, cpu string, pods ...*corev1.Pod) *snapshot.Node {
	t.Helper()
	n := snapshot.NewNode(node(name, cpu))
	for _, p := range pods {
		n.Add(parsed(t, p))
	}
	return n
}

func app(p *corev1.Pod) { p.Labels = map[string]string{"app": "guarded"} }

func started(ago time.Duration) func(*corev1.Pod) {
	at := metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(-ago))
	return func(p *corev1.Pod) { p.Status.StartTime = &at }
}

// budgetOf is a budget that lets so many pods of the app go.
func budgetOf(allowed int32) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "guard"},
		Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "guarded"}}},
		Status:     policyv1.PodDisruptionBudgetStatus{DisruptionsAllowed: allowed},
	}
}

func TestTheLeastHarmIsChosen(t *testing.T) {
	everything, nothing := budgetOf(0), budgetOf(0)
	everything.Spec.Selector, nothing.Spec.Selector = &metav1.LabelSelector{}, nil
	elsewhere := func(p *corev1.Pod) { p.Namespace = "elsewhere" }
	for name, test := range map[string]struct {
		nodes   []*snapshot.Node
		budgets []*policyv1.PodDisruptionBudget
		node    string
		victims []string
	}{
		"the least important": {
			[]*snapshot.Node{onNode(t, "a", "2", pod("a1", "2", priority(5))), onNode(t, "b", "2", pod("b1", "2", priority(3)))}, nil, "b", []string{"b1"},
		},
		"no more than needed": {
			[]*snapshot.Node{onNode(t, "a", "3", pod("a1", "1", priority(1)), pod("a2", "1", priority(9)), pod("a3", "1", priority(2)))}, nil, "a", []string{"a3", "a1"},
		},
		"not the guarded": {
			[]*snapshot.Node{onNode(t, "a", "2", pod("a1", "2", app, priority(1))), onNode(t, "b", "2", pod("b1", "2", priority(9)))},
			[]*policyv1.PodDisruptionBudget{budgetOf(0)}, "b", []string{"b1"},
		},
		"not those under a budget of everything": {
			[]*snapshot.Node{onNode(t, "a", "2", pod("a1", "2", priority(1))), onNode(t, "b", "2", pod("b1", "2", priority(9), elsewhere))},
			[]*policyv1.PodDisruptionBudget{everything}, "b", []string{"b1"},
		},
		"a budget of nothing protects nothing": {
			[]*snapshot.Node{onNode(t, "a", "2", pod("a1", "2", priority(1))), onNode(t, "b", "2", pod("b1", "2", priority(9), elsewhere))},
			[]*policyv1.PodDisruptionBudget{nothing}, "a", []string{"a1"},
		},
		"the guarded within the budget": {
			[]*snapshot.Node{onNode(t, "a", "2", pod("a1", "2", app, priority(1))), onNode(t, "b", "2", pod("b1", "2", priority(9)))},
			[]*policyv1.PodDisruptionBudget{budgetOf(1)}, "a", []string{"a1"},
		},
		"the fewest": {
			[]*snapshot.Node{onNode(t, "a", "2", pod("a1", "1"), pod("a2", "1")), onNode(t, "b", "2", pod("b1", "2"))}, nil, "b", []string{"b1"},
		},
		"the youngest": {
			[]*snapshot.Node{onNode(t, "a", "2", pod("a1", "2", started(time.Hour))), onNode(t, "b", "2", pod("b1", "2", started(time.Minute)))}, nil, "b", []string{"b1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := &cycle{pod: parsed(t, pod("p", "2", priority(10))), nodes: snapshot.Of(test.nodes...)}
			if r, err := c.prepare([]framework.Weighted{{Plugin: noderesources.Fit{}}}); r != nil || err != nil {
				t.Fatal(r, err)
			}
			_, r, err := c.search(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			candidates, _ := c.candidatesForPreemption(r, parsedBudgets(test.budgets))
			if len(candidates) == 0 {
				t.Fatal("no candidates")
			}
			best := slices.MinFunc(candidates, compareCandidates)
			var victims []string
			for _, victim := range best.victims {
				victims = append(victims, victim.Name)
			}
			if best.node != test.node || !slices.Equal(victims, test.victims) {
				t.Errorf("on %s %v, want on %s %v", best.node, victims, test.node, test.victims)
			}
		})
	}
}

func TestWhoMayNotPreempt(t *testing.T) {
	never := corev1.PreemptNever
	leaving := pod("leaving", "2", func(p *corev1.Pod) {
		p.DeletionTimestamp = &metav1.Time{}
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: corev1.PodReasonPreemptionByScheduler}}
	})
	const nominee = "nominee"
	for name, test := range map[string]struct {
		pod    *corev1.Pod
		status *framework.Status
		want   string
	}{
		"anybody else":                        {pod("p", "2", priority(10)), nil, ""},
		"one whose policy is Never":           {pod("p", "2", priority(10), func(p *corev1.Pod) { p.Spec.PreemptionPolicy = &never }), nil, "not eligible due to preemptionPolicy=Never."},
		"one for which pods are leaving":      {pod(nominee, "2", priority(10)), framework.Reject(framework.Unschedulable, "x"), "not eligible due to a terminating pod on the nominated node."},
		"leaving in vain, the node is no use": {pod(nominee, "2", priority(10)), framework.Reject(framework.Unresolvable, "x"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := &cycle{pod: parsed(t, test.pod), nodes: snapshot.Of(onNode(t, "a", "2", leaving))}
			if test.pod.Name == nominee {
				c.nominated = "a"
			}
			r := &rejection{byNode: map[string]*framework.Status{}}
			if test.status != nil {
				r.byNode["a"] = test.status
			}
			if got := ineligible(c, r); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestReasonsAreCountedByNodes(t *testing.T) {
	cpu := framework.Reject(framework.Unschedulable, "Insufficient cpu").By("NodeResourcesFit")
	both := framework.Reject(framework.Unschedulable, "Insufficient cpu", "Insufficient memory").By("NodeResourcesFit")
	taint := framework.Reject(framework.Unresolvable, "node(s) had untolerated taint(s)").By("TaintToleration")
	for name, test := range map[string]struct {
		rejection rejection
		message   string
		plugins   []string
	}{
		"by node": {rejection{nodes: 3, byNode: map[string]*framework.Status{"a": cpu, "b": both, "c": taint}},
			"0/3 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint(s), 2 Insufficient cpu.", []string{"NodeResourcesFit", "TaintToleration"}},
		"for all": {rejection{nodes: 3, whole: taint}, "0/3 nodes are available: node(s) had untolerated taint(s).", []string{"TaintToleration"}},
		"few in question": {rejection{nodes: 3, byNode: map[string]*framework.Status{"a": cpu}, onlyBy: []string{"NodeAffinity"}},
			"0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity].", []string{"NodeAffinity", "NodeResourcesFit"}},
		"preemption": {rejection{nodes: 1, byNode: map[string]*framework.Status{"a": cpu}, preemption: "preemption: no."},
			"0/1 nodes are available: 1 Insufficient cpu. preemption: no.", []string{"NodeResourcesFit"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.rejection.Error(); got != test.message {
				t.Errorf("%q, want %q", got, test.message)
			}
			if got := sets.List(test.rejection.rejecters()); !slices.Equal(got, test.plugins) {
				t.Errorf("plugins %v, want %v", got, test.plugins)
			}
		})
	}
}

func TestManyNodesAreNotAllLookedAt(t *testing.T) {
	for nodes, want := range map[int]int{1: 1, 100: 100, 101: 100, 1000: 420, 5000: 500, 10000: 500} {
		if got := wanted(nodes); got != want {
			t.Errorf("of %d nodes %d, want %d", nodes, got, want)
		}
	}
}
