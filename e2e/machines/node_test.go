package machines

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestReadyIsNotBelievedFromBeforeTheStart(t *testing.T) {
	started := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, test := range map[string]struct {
		status corev1.ConditionStatus
		beat   time.Time
		ready  bool
	}{
		"no condition":                 {},
		"ready, said at the start":     {corev1.ConditionTrue, started, true},
		"ready, said later":            {corev1.ConditionTrue, started.Add(time.Minute), true},
		"ready, said before the start": {corev1.ConditionTrue, started.Add(-time.Second), false},
		"not ready":                    {corev1.ConditionFalse, started.Add(time.Second), false},
		"silent":                       {corev1.ConditionUnknown, started.Add(time.Second), false},
	} {
		node := &corev1.Node{Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeDiskPressure, Status: corev1.ConditionTrue}}}}
		if test.status != "" {
			node.Status.Conditions = append(node.Status.Conditions, corev1.NodeCondition{
				Type: corev1.NodeReady, Status: test.status, LastHeartbeatTime: metav1.NewTime(test.beat),
			})
		}
		if err := readySince(node, started); (err == nil) != test.ready {
			t.Errorf("%s: %v, want ready: %v", name, err, test.ready)
		}
	}
}

func TestStartOfANodeThatRanIsInALaterSecond(t *testing.T) {
	c := &Cluster{Config: Config{Dir: t.TempDir()}}
	n := &Node{cluster: c, Machine: Machine{Name: "a"}, Started: time.Now().Truncate(time.Second)}
	c.Nodes = []*Node{n}
	report := time.Now().Truncate(time.Second) // the earlier coracle's
	if err := n.begin(); err != nil {
		t.Fatal(err)
	}
	if !report.Before(n.Started) {
		t.Errorf("started at %s, a report before it is of %s", n.Started, report)
	}
	again, err := Open(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if !again.Nodes[0].Started.Equal(n.Started) {
		t.Errorf("another command finds %s, want %s", again.Nodes[0].Started, n.Started)
	}
}
