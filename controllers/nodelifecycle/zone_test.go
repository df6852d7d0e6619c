package nodelifecycle

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/node/topology"
)

func labelled(key, value string) func(*corev1.Node) {
	return func(n *corev1.Node) { metav1.SetMetaDataLabel(&n.ObjectMeta, key, value) }
}

func in(zone string) func(*corev1.Node) { return labelled(corev1.LabelTopologyZone, zone) }

func excluded(n *corev1.Node) { labelled(excludeLabel, "")(n) }

// nodes makes as many Nodes of a zone that are ready and that are not.
func nodes(zone string, ready, lost int) (all []corev1.Node) {
	for i := range ready + lost {
		status := corev1.ConditionTrue
		if i >= ready {
			status = corev1.ConditionUnknown
		}
		all = append(all, *node(fmt.Sprint(zone, i), status, in(zone)))
	}
	return all
}

func TestPace(t *testing.T) {
	zone := topology.GetZoneKey(node("a", "", in("here")))
	for name, test := range map[string]struct {
		nodes   []corev1.Node
		want    float64
		allLost bool
	}{
		"one of two":                        {nodes("here", 1, 1), normalPace, false},
		"two of three":                      {nodes("here", 1, 2), normalPace, false},
		"three of four":                     {nodes("here", 1, 3), 0, false},
		"under the limit":                   {nodes("here", 10, 12), normalPace, false},
		"on the limit":                      {nodes("here", 9, 11), 0, false},
		"many of a large zone":              {nodes("here", 21, 30), slowPace, false},
		"many of one that is almost large":  {nodes("here", 20, 30), 0, false},
		"the only one":                      {nodes("here", 0, 1), 0, true},
		"all":                               {nodes("here", 0, 60), 0, true},
		"all of the zone":                   {append(nodes("here", 0, 4), nodes("there", 1, 3)...), normalPace, false},
		"all of all zones":                  {append(nodes("here", 0, 4), nodes("there", 0, 1)...), 0, true},
		"one, with another zone lost":       {append(nodes("here", 3, 1), nodes("there", 0, 9)...), normalPace, false},
		"one that has not reported":         {append(nodes("here", 0, 1), *node("new", "", in("here"))), 0, true},
		"excluded ones say nothing":         {append(nodes("here", 0, 1), *node("x", "True", excluded)), 0, true},
		"all are excluded":                  {[]corev1.Node{*node("x", "Unknown", excluded), *node("y", "True", excluded)}, normalPace, false},
		"excluded ones do not count as two": {append(nodes("here", 1, 2), *node("x", "Unknown", in("here"), excluded)), normalPace, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got, allLost := pace(zone, test.nodes); got != test.want || allLost != test.allLost {
				t.Errorf("pace %v, all lost: %v; want %v, %v", got, allLost, test.want, test.allLost)
			}
		})
	}
}

func TestNodesOfAZoneAreEvictedOneAfterAnother(t *testing.T) {
	var b brake
	all := append(nodes("here", 5, 2), nodes("there", 5, 1)...)
	first, second, elsewhere := &all[5], &all[6], &all[12]
	step := func(what string, n *corev1.Node, after time.Duration, want eviction, wantLater time.Duration) {
		t.Helper()
		if allow, later := b.judge(n, all, start.Add(after)); allow != want || later != wantLater {
			t.Errorf("%s: %v, again after %s; want %v, %s", what, allow, later, want, wantLater)
		}
	}
	step("the first", first, 0, evict, 0)
	step("the second at once", second, 0, hold, 10*time.Second)
	step("one of another zone", elsewhere, 0, evict, 0)
	step("the second too soon", second, 9*time.Second, hold, 10*time.Second)
	step("the second in its time", second, 11*time.Second, evict, 0)
	first.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoExecute}}
	step("what is done is done", first, 20*time.Second, hold, 0)
	step("and takes nobody's turn", second, 22*time.Second, evict, 0)
	all = nodes("here", 1, 9)
	step("a disrupted zone", &all[9], time.Hour, hold, 0)
}

func TestNobodyIsEvictedWhenAllAreLost(t *testing.T) {
	var b brake
	all := nodes("here", 1, 1)
	if b.release() {
		t.Error("all seem lost from the beginning")
	}
	if allow, _ := b.judge(&all[1], all, start); allow != evict || b.release() {
		t.Errorf("one of two: %v, want eviction", allow)
	}
	all[0].Status.Conditions[0].Status = corev1.ConditionUnknown
	for i := range all {
		if allow, later := b.judge(&all[i], all, start.Add(time.Hour)); allow != calm || later != 0 {
			t.Errorf("all are lost: %v, again after %s; want calm", allow, later)
		}
	}
	if !b.release() || b.release() {
		t.Error("the first that is back ends it, once")
	}
}

func TestNodesWakeOthersWhenTheyCountOtherwise(t *testing.T) {
	here := node("a", "True", in("here"))
	for name, test := range map[string]struct {
		now  *corev1.Node
		want bool
	}{
		"a heartbeat":   {node("a", "True", in("here"), beat(start.Add(time.Second))), false},
		"not ready":     {node("a", "False", in("here")), true},
		"in a new zone": {node("a", "True", in("there")), true},
		"excluded":      {node("a", "True", in("here"), excluded), true},
	} {
		if got := weightChanged(here, test.now); got != test.want {
			t.Errorf("%s: others wake: %v, want %v", name, got, test.want)
		}
	}
}
