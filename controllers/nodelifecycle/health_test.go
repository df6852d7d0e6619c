package nodelifecycle

import (
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// start is when tests begin.
var start = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// node is a Node with a Ready condition, or none if status is empty.
func node(name string, status corev1.ConditionStatus, change ...func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, UID: "1", CreationTimestamp: metav1.NewTime(start.Add(-time.Hour))}}
	if status != "" {
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status, LastHeartbeatTime: metav1.NewTime(start)}}
	}
	for _, f := range change {
		f(n)
	}
	return n
}

func beat(at time.Time) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Status.Conditions[0].LastHeartbeatTime = metav1.NewTime(at) }
}

func lease(renewed time.Time) *coordinationv1.Lease {
	return &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{RenewTime: &metav1.MicroTime{Time: renewed}}}
}

func TestSignsOfLifeAreDatedByOurClock(t *testing.T) {
	later := start.Add(30 * time.Second)
	known := (*signs)(nil).next(node("a", corev1.ConditionTrue), lease(start), start)
	for name, test := range map[string]struct {
		known *signs
		node  *corev1.Node
		lease *coordinationv1.Lease
		want  time.Time
	}{
		"not known before":                 {nil, node("a", corev1.ConditionTrue, beat(start.Add(-time.Hour))), nil, later},
		"never reported":                   {nil, node("a", ""), nil, start.Add(-time.Hour)},
		"never reported, but renews":       {nil, node("a", ""), lease(start), later},
		"another Node of the name":         {&known, node("a", corev1.ConditionTrue, func(n *corev1.Node) { n.UID = "2" }), lease(start), later},
		"nothing new":                      {&known, node("a", corev1.ConditionTrue), lease(start), start},
		"without its lease":                {&known, node("a", corev1.ConditionTrue), nil, start},
		"a lease that was never renewed":   {&known, node("a", corev1.ConditionTrue), &coordinationv1.Lease{}, start},
		"a heartbeat":                      {&known, node("a", corev1.ConditionTrue, beat(start.Add(time.Second))), lease(start), later},
		"a heartbeat by a clock behind":    {&known, node("a", corev1.ConditionTrue, beat(start.Add(-time.Hour))), lease(start), later},
		"a heartbeat of one not ready":     {&known, node("a", corev1.ConditionFalse, beat(start.Add(time.Second))), lease(start), later},
		"a renewal":                        {&known, node("a", corev1.ConditionTrue), lease(start.Add(time.Second)), later},
		"an older lease":                   {&known, node("a", corev1.ConditionTrue), lease(start.Add(-time.Second)), start},
		"its condition was taken, renewed": {&known, node("a", ""), lease(start.Add(time.Second)), later},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.known.next(test.node, test.lease, later); !got.seen.Equal(test.want) {
				t.Errorf("seen at %s, want %s", got.seen, test.want)
			}
		})
	}
}

func TestRegisterKnowsNodesByUID(t *testing.T) {
	r := newRegister()
	a := node("a", corev1.ConditionTrue)
	if _, first := r.look(a, nil, start); !first {
		t.Error("a new Node is known")
	}
	r.mark("a", true)
	if s, first := r.look(a, nil, start.Add(time.Second)); first || !s.seen.Equal(start) || !r.unmarked("a") {
		t.Errorf("a known Node is new: %v, %v", s, first)
	}
	r.reset(start.Add(time.Minute))
	if s, _ := r.look(a, nil, start.Add(2*time.Minute)); !s.seen.Equal(start.Add(time.Minute)) {
		t.Errorf("after a reset it was seen at %s", s.seen)
	}
	a.UID = "2"
	if _, first := r.look(a, nil, start); !first || r.unmarked("a") {
		t.Error("another Node of the name is known")
	}
	if uid, known := r.forget("a"); !known || uid != "2" {
		t.Errorf("forgot %s, %v", uid, known)
	}
	if _, known := r.forget("a"); known {
		t.Error("a forgotten Node is known")
	}
}
