package nodelifecycle

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestSilence(t *testing.T) {
	const grace, startupGrace = 50 * time.Second, 60 * time.Second
	for name, test := range map[string]struct {
		status  corev1.ConditionStatus
		after   time.Duration
		tooLong bool
		again   time.Duration
	}{
		"just seen":                        {corev1.ConditionTrue, 0, false, grace + time.Millisecond},
		"in its time":                      {corev1.ConditionTrue, 20 * time.Second, false, 30*time.Second + time.Millisecond},
		"at the end of its time":           {corev1.ConditionTrue, grace, false, time.Millisecond},
		"too long":                         {corev1.ConditionTrue, grace + time.Millisecond, true, 0},
		"not ready, too long":              {corev1.ConditionFalse, grace + time.Millisecond, true, 0},
		"known to be silent":               {corev1.ConditionUnknown, time.Hour, true, 0},
		"never reported, in its time":      {"", grace + time.Second, false, 9*time.Second + time.Millisecond},
		"never reported, and will not now": {"", startupGrace + time.Millisecond, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tooLong, again := silence(node("a", test.status), signs{seen: start}, grace, startupGrace, start.Add(test.after))
			if tooLong != test.tooLong || again != test.again {
				t.Errorf("too long: %v, again after %s; want %v, %s", tooLong, again, test.tooLong, test.again)
			}
		})
	}
}

func TestSilentNodesConditionsAreUnknown(t *testing.T) {
	before, now := metav1.NewTime(start), start.Add(time.Minute)
	condition := func(kind corev1.NodeConditionType, status corev1.ConditionStatus) corev1.NodeCondition {
		return corev1.NodeCondition{Type: kind, Status: status, Reason: "Old", Message: "old", LastHeartbeatTime: before, LastTransitionTime: before}
	}
	n := node("a", "")
	n.Status.Conditions = []corev1.NodeCondition{
		condition(corev1.NodeNetworkUnavailable, corev1.ConditionFalse), condition(corev1.NodeReady, corev1.ConditionTrue),
		condition(corev1.NodeMemoryPressure, corev1.ConditionUnknown), condition("Mine", corev1.ConditionTrue),
	}
	untouched := n.DeepCopy()
	var got []string
	for _, c := range silenced(n, now) {
		moved := "before"
		if c.LastTransitionTime.Time.Equal(now) {
			moved = "now"
		}
		beat := "before"
		if c.LastHeartbeatTime.Equal(&n.CreationTimestamp) {
			beat = "at creation"
		}
		got = append(got, fmt.Sprintf("%s %s %s, moved %s, heartbeat %s", c.Type, c.Status, c.Reason, moved, beat))
	}
	want := []string{
		"NetworkUnavailable False Old, moved before, heartbeat before", // the control plane's, not the kubelet's
		"Ready Unknown NodeStatusUnknown, moved now, heartbeat before",
		"MemoryPressure Unknown Old, moved before, heartbeat before",
		"Mine True Old, moved before, heartbeat before",
		"DiskPressure Unknown NodeStatusNeverUpdated, moved now, heartbeat at creation",
		"PIDPressure Unknown NodeStatusNeverUpdated, moved now, heartbeat at creation",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !sameConditions(n.Status.Conditions, untouched.Status.Conditions) {
		t.Error("the Node itself is changed")
	}
	n.Status.Conditions = silenced(n, now)
	if again := silenced(n, now.Add(time.Minute)); !sameConditions(again, n.Status.Conditions) {
		t.Errorf("they change again: %v", again)
	}
}

func TestTaintsFollowConditions(t *testing.T) {
	status := func(kind corev1.NodeConditionType, status corev1.ConditionStatus) func(*corev1.Node) {
		return func(n *corev1.Node) {
			n.Status.Conditions = append(n.Status.Conditions, corev1.NodeCondition{Type: kind, Status: status})
		}
	}
	has := func(taints ...string) func(*corev1.Node) {
		return func(n *corev1.Node) {
			for _, t := range taints {
				key, effect, _ := strings.Cut(t, ":")
				n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: key, Effect: corev1.TaintEffect(effect)})
			}
		}
	}
	cordoned := func(n *corev1.Node) { n.Spec.Unschedulable = true }
	const (
		notReady, drivenNotReady       = corev1.TaintNodeNotReady + ":NoSchedule", corev1.TaintNodeNotReady + ":NoExecute"
		unreachable, drivenUnreachable = corev1.TaintNodeUnreachable + ":NoSchedule", corev1.TaintNodeUnreachable + ":NoExecute"
	)
	for name, test := range map[string]struct {
		node  *corev1.Node
		allow eviction
		want  []string
	}{
		"ready":                             {node("a", "True"), evict, nil},
		"not ready":                         {node("a", "False"), evict, []string{notReady, drivenNotReady}},
		"unreachable":                       {node("a", "Unknown"), evict, []string{unreachable, drivenUnreachable}},
		"not reported yet":                  {node("a", "", has(notReady, drivenNotReady)), calm, nil},
		"on hold, no Pods are driven off":   {node("a", "False"), hold, []string{notReady}},
		"on hold, a driving taint is kept":  {node("a", "False", has(notReady, drivenNotReady)), hold, []string{notReady, drivenNotReady}},
		"on hold, it follows the condition": {node("a", "Unknown", has(notReady, drivenNotReady)), hold, []string{unreachable, drivenUnreachable}},
		"calm, it is taken away":            {node("a", "Unknown", has(unreachable, drivenUnreachable)), calm, []string{unreachable}},
		"ready again":                       {node("a", "True", has(unreachable, drivenUnreachable)), evict, nil},
		"under pressure": {
			node("a", "True", status(corev1.NodeMemoryPressure, "True"), status(corev1.NodeDiskPressure, "True"), status(corev1.NodePIDPressure, "True")), evict,
			[]string{"node.kubernetes.io/memory-pressure:NoSchedule", "node.kubernetes.io/disk-pressure:NoSchedule", "node.kubernetes.io/pid-pressure:NoSchedule"},
		},
		"pressure that nobody knows of": {node("a", "True", status(corev1.NodeMemoryPressure, "Unknown")), evict, nil},
		"without a network":             {node("a", "True", status(corev1.NodeNetworkUnavailable, "True")), evict, []string{"node.kubernetes.io/network-unavailable:NoSchedule"}},
		"cordoned":                      {node("a", "True", cordoned), evict, []string{"node.kubernetes.io/unschedulable:NoSchedule"}},
		"no longer cordoned":            {node("a", "True", has("node.kubernetes.io/unschedulable:NoSchedule")), evict, nil},
		"others' taints stay": {
			node("a", "True", has("mine:NoExecute", "node.kubernetes.io/unschedulable:NoExecute", "node.kubernetes.io/out-of-service:NoExecute", "node.kubernetes.io/memory-pressure:PreferNoSchedule")), evict,
			[]string{"mine:NoExecute", "node.kubernetes.io/unschedulable:NoExecute", "node.kubernetes.io/out-of-service:NoExecute", "node.kubernetes.io/memory-pressure:PreferNoSchedule"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(test.node.Spec.Taints)
			var got []string
			for _, taint := range wantedTaints(test.node, test.allow, start) {
				got = append(got, taint.Key+":"+string(taint.Effect))
				if isNew := !hasTaint(test.node.Spec.Taints, taint.Key, taint.Effect); isNew != (taint.TimeAdded != nil) {
					t.Errorf("%s was added at %v, new: %v", taint.Key, taint.TimeAdded, isNew)
				}
			}
			if !slices.Equal(got, test.want) || len(test.node.Spec.Taints) != before {
				t.Errorf("taints %v, want %v", got, test.want)
			}
		})
	}
}

func TestOldLabelsFollowNewOnes(t *testing.T) {
	for name, test := range map[string]struct{ has, want map[string]string }{
		"none": {nil, nil},
		"new ones": {
			map[string]string{"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
			map[string]string{"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "amd64"},
		},
		"they differ": {
			map[string]string{"kubernetes.io/os": "linux", "beta.kubernetes.io/os": "plan9"},
			map[string]string{"kubernetes.io/os": "linux", "beta.kubernetes.io/os": "linux"},
		},
		"old ones alone": {map[string]string{"beta.kubernetes.io/os": "plan9"}, map[string]string{"beta.kubernetes.io/os": "plan9"}},
	} {
		t.Run(name, func(t *testing.T) {
			before := maps.Clone(test.has)
			if got := wantedLabels(test.has); !maps.Equal(got, test.want) || !maps.Equal(test.has, before) {
				t.Errorf("labels %v, want %v", got, test.want)
			}
		})
	}
}

func TestOnlySilentNodesAreLost(t *testing.T) {
	for status, want := range map[corev1.ConditionStatus]bool{"": false, "True": false, "False": false, "Unknown": true} {
		if got := lost(node("a", status)); got != want {
			t.Errorf("Ready is %q: lost %v, want %v", status, got, want)
		}
	}
}
