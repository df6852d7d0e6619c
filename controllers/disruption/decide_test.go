package disruption

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func budget(minAvailable, maxUnavailable string) *policyv1.PodDisruptionBudget {
	b := &policyv1.PodDisruptionBudget{}
	if minAvailable != "" {
		value := intstr.Parse(minAvailable)
		b.Spec.MinAvailable = &value
	}
	if maxUnavailable != "" {
		value := intstr.Parse(maxUnavailable)
		b.Spec.MaxUnavailable = &value
	}
	return b
}

// pods are described by a letter each: r ready, u unready, d ready but being deleted. They are named by their place.
func pods(letters string) []*corev1.Pod {
	var all []*corev1.Pod
	for i, letter := range letters {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint(i)}}
		if letter != 'u' {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		}
		if letter == 'd' {
			p.DeletionTimestamp = &metav1.Time{Time: now}
		}
		all = append(all, p)
	}
	return all
}

func TestDecide(t *testing.T) {
	for name, test := range map[string]struct {
		b       *policyv1.PodDisruptionBudget
		pods    string
		evicted map[string]time.Duration
		want    string // allowed, healthy, desired, expected
	}{
		"a number must stay":            {budget("2", ""), "rrr", nil, "1 3 2 3"},
		"none to spare":                 {budget("2", ""), "rru", nil, "0 2 2 3"},
		"those that go do not count":    {budget("2", ""), "rrd", nil, "0 2 2 3"},
		"a share must stay":             {budget("50%", ""), "rrr", nil, "1 3 2 3"},
		"a number may go":               {budget("", "1"), "rrr", nil, "1 3 2 3"},
		"a share may go, rounded up":    {budget("", "30%"), "rrrr", nil, "2 4 2 4"},
		"one is gone already":           {budget("", "1"), "rru", nil, "0 2 2 3"},
		"an eviction is under way":      {budget("2", ""), "rrr", map[string]time.Duration{"0": time.Minute}, "0 2 2 3"},
		"an eviction that never came":   {budget("2", ""), "rrr", map[string]time.Duration{"0": time.Hour}, "1 3 2 3"},
		"nothing there, nothing to say": {budget("", "1"), "", nil, "0 0 0 0"},
	} {
		t.Run(name, func(t *testing.T) {
			for pod, ago := range test.evicted {
				test.b.Status.DisruptedPods = map[string]metav1.Time{pod: metav1.NewTime(now.Add(-ago))}
			}
			s, overdue, _ := decide(test.b, pods(test.pods), int32(len(test.pods)), now)
			got := strings.TrimSpace(fmt.Sprintln(s.DisruptionsAllowed, s.CurrentHealthy, s.DesiredHealthy, s.ExpectedPods))
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if late := test.evicted["0"] > grace; late != (len(overdue) == 1) {
				t.Errorf("overdue %v", overdue)
			}
			if allowed := s.Conditions[0].Status == metav1.ConditionTrue; allowed != (s.DisruptionsAllowed > 0) {
				t.Errorf("conditions %v", s.Conditions)
			}
		})
	}
}
