package core

import (
	stderrors "errors"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func budget(s policyv1.PodDisruptionBudgetStatus) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "b", Namespace: "ns", Generation: 2},
		Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "a"}}},
		Status:     s,
	}
}

func TestDisrupt(t *testing.T) {
	many := map[string]metav1.Time{}
	for i := range maxDisrupted + 1 {
		many[string(rune('a'+i%26))+strings.Repeat("x", i/26)] = metav1.Now()
	}
	failedSync := []metav1.Condition{{Type: policyv1.DisruptionAllowedCondition, Status: metav1.ConditionFalse, Reason: policyv1.SyncFailedReason, Message: "no scale"}}
	for name, c := range map[string]struct {
		status policyv1.PodDisruptionBudgetStatus
		code   int32
		cause  string
	}{
		"allowed":     {status: policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 2, DisruptionsAllowed: 2}},
		"last":        {status: policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 2, DisruptionsAllowed: 1}},
		"not seen":    {policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1, DisruptionsAllowed: 2}, http.StatusTooManyRequests, "still being processed"},
		"negative":    {policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 2, DisruptionsAllowed: -1}, http.StatusForbidden, "currently: pdb disruptions allowed is negative"},
		"unconfirmed": {policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 2, DisruptionsAllowed: 1, DisruptedPods: many}, http.StatusForbidden, "currently: too many pending evictions"},
		"too few": {policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 2, CurrentHealthy: 1, DesiredHealthy: 3}, http.StatusTooManyRequests,
			"needs 3 healthy pods and has 1 currently"},
		"failed": {policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 2, Conditions: failedSync}, http.StatusTooManyRequests, "failed sync: no scale"},
		"none":   {policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 2, CurrentHealthy: 3, DesiredHealthy: 1}, http.StatusTooManyRequests, "does not allow evicting pods currently"},
	} {
		t.Run(name, func(t *testing.T) {
			b := budget(c.status)
			err := disrupt(b, "p", metav1.Now())
			if c.code == 0 {
				if _, noted := b.Status.DisruptedPods["p"]; err != nil || !noted || b.Status.DisruptionsAllowed != c.status.DisruptionsAllowed-1 {
					t.Errorf("got %v and %+v", err, b.Status)
				}
				return
			}
			var status *errors.StatusError
			if !stderrors.As(err, &status) || status.Status().Code != c.code {
				t.Fatalf("got %v, want code %d", err, c.code)
			}
			if c.cause != "" && !strings.Contains(status.Status().Details.Causes[0].Message, c.cause) {
				t.Errorf("got %+v, want %q", status.Status().Details.Causes, c.cause)
			}
		})
	}
}

func TestMayGoUnhealthy(t *testing.T) {
	ready := &pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}}
	always := policyv1.AlwaysAllow
	for name, c := range map[string]struct {
		pod              *pod
		policy           *policyv1.UnhealthyPodEvictionPolicyType
		current, desired int32
		want             bool
	}{
		"ready":                   {ready, &always, 3, 1, false},
		"budget is met":           {&pod{}, nil, 1, 1, true},
		"budget is not met":       {&pod{}, nil, 0, 1, false},
		"nothing is desired":      {&pod{}, nil, 0, 0, false},
		"not met, always allowed": {&pod{}, &always, 0, 1, true},
	} {
		b := budget(policyv1.PodDisruptionBudgetStatus{CurrentHealthy: c.current, DesiredHealthy: c.desired})
		b.Spec.UnhealthyPodEvictionPolicy = c.policy
		if got := mayGoUnhealthy(c.pod, b); got != c.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

func TestCharge(t *testing.T) {
	p := &pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "ns", Labels: map[string]string{"app": "a"}}}
	client := fake.NewClientset(budget(policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 2, DisruptionsAllowed: 1})).PolicyV1()
	e := evictions{client}
	b, err := e.budgetOf(t.Context(), p)
	if err != nil || b == nil {
		t.Fatalf("found %v, %v", b, err)
	}
	if err := e.charge(t.Context(), p, b.DeepCopy(), true); err != nil {
		t.Errorf("dry run: %v", err)
	}
	if err := e.charge(t.Context(), p, b, false); err != nil {
		t.Errorf("the first: %v", err)
	}
	if b, err = e.budgetOf(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := e.charge(t.Context(), p, b, false); !errors.IsTooManyRequests(err) {
		t.Errorf("the second: got %v", err)
	}
	second := budget(policyv1.PodDisruptionBudgetStatus{})
	second.Name = "c"
	if _, err := client.PodDisruptionBudgets("ns").Create(t.Context(), second, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.budgetOf(t.Context(), p); err == nil || !strings.Contains(err.Error(), "more than one PodDisruptionBudget") {
		t.Errorf("two budgets: got %v", err)
	}
	p.Labels = nil
	if b, err := e.budgetOf(t.Context(), p); b != nil || err != nil {
		t.Errorf("no budget: got %v, %v", b, err)
	}
}

func TestEvictionOptions(t *testing.T) {
	all := []string{metav1.DryRunAll}
	for name, c := range map[string]struct {
		in     *metav1.DeleteOptions
		create []string
		want   int
		fails  bool
	}{
		"none":          {},
		"of request":    {create: all, want: 1},
		"of both":       {in: &metav1.DeleteOptions{DryRun: all}, create: all, want: 1},
		"of content":    {in: &metav1.DeleteOptions{DryRun: all}, want: 1},
		"contradiction": {in: &metav1.DeleteOptions{DryRun: []string{"other"}}, create: all, fails: true},
	} {
		o, err := deleteOptions(&policyv1.Eviction{DeleteOptions: c.in}, &metav1.CreateOptions{DryRun: c.create})
		if (err != nil) != c.fails || err == nil && len(o.DryRun) != c.want {
			t.Errorf("%s: got %+v, %v", name, o, err)
		}
	}
}
