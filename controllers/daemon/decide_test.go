package daemon

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func daemonSet(surge, unavailable int32) *appsv1.DaemonSet {
	return &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "d", UID: "d"},
		Spec: appsv1.DaemonSetSpec{
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{NodeSelector: map[string]string{"os": "linux"}}},
			UpdateStrategy: appsv1.DaemonSetUpdateStrategy{
				Type: appsv1.RollingUpdateDaemonSetStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDaemonSet{
					MaxSurge: ptr.To(intstr.FromInt32(surge)), MaxUnavailable: ptr.To(intstr.FromInt32(unavailable)),
				},
			},
		},
	}
}

func node(name string, taints ...corev1.Taint) corev1.Node {
	return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"os": "linux"}}, Spec: corev1.NodeSpec{Taints: taints}}
}

// pod is described in words: its name, "new" or "old", and "ready", "failed", "deleted".
func pod(node, words string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: strings.Fields(words)[0], Labels: map[string]string{appsv1.ControllerRevisionHashLabelKey: "old"}}}
	p.Spec.NodeName = node
	p.Status.Phase = corev1.PodRunning
	for _, word := range strings.Fields(words)[1:] {
		switch word {
		case "new":
			p.Labels[appsv1.ControllerRevisionHashLabelKey] = "new"
		case "ready":
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(now)}}
		case "failed":
			p.Status.Phase = corev1.PodFailed
		case "deleted":
			p.DeletionTimestamp = &metav1.Time{Time: now}
		}
	}
	return p
}

func steps(p plan) string {
	var words []string
	slices.Sort(p.create)
	for _, node := range p.create {
		words = append(words, "create on "+node)
	}
	for _, pod := range p.remove {
		words = append(words, "remove "+pod.Name)
	}
	for _, pod := range p.ended {
		words = append(words, "ended "+pod.Name)
	}
	return strings.Join(words, ", ")
}

func TestDecide(t *testing.T) {
	tainted := corev1.Taint{Key: "x", Effect: corev1.TaintEffectNoSchedule}
	driven := corev1.Taint{Key: "x", Effect: corev1.TaintEffectNoExecute}
	cordoned := corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}
	other := node("a")
	other.Labels = nil
	for name, test := range map[string]struct {
		ds    *appsv1.DaemonSet
		nodes []corev1.Node
		pods  []*corev1.Pod
		want  string
	}{
		"a Pod for each Node":          {daemonSet(0, 1), []corev1.Node{node("a"), node("b", cordoned)}, nil, "create on a, create on b"},
		"not on others":                {daemonSet(0, 1), []corev1.Node{other}, []*corev1.Pod{pod("a", "p new ready")}, "remove p"},
		"not where it is not welcome":  {daemonSet(0, 1), []corev1.Node{node("a", tainted)}, nil, ""},
		"but it stays":                 {daemonSet(0, 1), []corev1.Node{node("a", tainted)}, []*corev1.Pod{pod("a", "p new ready")}, ""},
		"unless it is driven off":      {daemonSet(0, 1), []corev1.Node{node("a", driven)}, []*corev1.Pod{pod("a", "p new ready")}, "remove p"},
		"one is enough":                {daemonSet(0, 1), []corev1.Node{node("a")}, []*corev1.Pod{pod("a", "p new ready"), pod("a", "q new ready")}, "remove q"},
		"a failed one":                 {daemonSet(0, 1), []corev1.Node{node("a")}, []*corev1.Pod{pod("a", "p new failed")}, "ended p"},
		"waits for the one that goes":  {daemonSet(0, 1), []corev1.Node{node("a")}, []*corev1.Pod{pod("a", "p old deleted")}, ""},
		"replaces one at a time":       {daemonSet(0, 1), []corev1.Node{node("a"), node("b")}, []*corev1.Pod{pod("a", "p old ready"), pod("b", "q old ready")}, "remove p"},
		"not while one is missing":     {daemonSet(0, 1), []corev1.Node{node("a"), node("b")}, []*corev1.Pod{pod("a", "p old ready"), pod("b", "q new")}, ""},
		"those that do not work first": {daemonSet(0, 1), []corev1.Node{node("a"), node("b")}, []*corev1.Pod{pod("a", "p old ready"), pod("b", "q old")}, "remove q"},
		"surges":                       {daemonSet(1, 0), []corev1.Node{node("a"), node("b")}, []*corev1.Pod{pod("a", "p old ready"), pod("b", "q old ready")}, "create on a"},
		"keeps old until new works":    {daemonSet(1, 0), []corev1.Node{node("a")}, []*corev1.Pod{pod("a", "p old ready"), pod("a", "q new")}, ""},
		"leaves no gap on its way off": {daemonSet(1, 0), []corev1.Node{node("a", tainted), node("b")}, []*corev1.Pod{pod("a", "p old ready"), pod("b", "q new")}, ""},
		"and goes when others work":    {daemonSet(1, 0), []corev1.Node{node("a", tainted), node("b")}, []*corev1.Pod{pod("a", "p old ready"), pod("b", "q new ready")}, "remove p"},
		"then drops it":                {daemonSet(1, 0), []corev1.Node{node("a")}, []*corev1.Pod{pod("a", "p old ready"), pod("a", "q new ready")}, "remove p"},
	} {
		t.Run(name, func(t *testing.T) {
			o := observation{ds: test.ds, nodes: test.nodes, hash: "new", now: now, pods: map[string][]*corev1.Pod{}}
			for _, p := range test.pods {
				o.pods[p.Spec.NodeName] = append(o.pods[p.Spec.NodeName], p)
			}
			if got := steps(decide(o)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	other := node("d")
	other.Labels = nil
	o := observation{ds: daemonSet(0, 1), nodes: []corev1.Node{node("a"), node("b"), node("c"), other}, hash: "new", now: now, pods: map[string][]*corev1.Pod{
		"a": {pod("a", "p new ready")}, "b": {pod("b", "q old")}, "d": {pod("d", "r old")},
	}}
	s := o.status()
	got := fmt.Sprintln(s.DesiredNumberScheduled, s.CurrentNumberScheduled, s.NumberMisscheduled, s.NumberReady, s.NumberAvailable, s.NumberUnavailable, s.UpdatedNumberScheduled)
	if want := fmt.Sprintln(3, 2, 1, 1, 1, 2, 1); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPodIsMeantForItsNode(t *testing.T) {
	if got := target(podFor(daemonSet(0, 1), "a", "h")); got != "a" {
		t.Errorf("meant for %q, want a", got)
	}
}

// BenchmarkDecide has a Pod on each of so many Nodes, as every reconciliation of a cluster at rest sees it.
func BenchmarkDecide(b *testing.B) {
	for _, nodes := range []int{100, 1000} {
		b.Run(fmt.Sprintf("%d nodes", nodes), func(b *testing.B) {
			o := observation{ds: daemonSet(0, 1), hash: "new", now: now, pods: map[string][]*corev1.Pod{}}
			for i := range nodes {
				name := fmt.Sprintf("node-%d", i)
				o.nodes = append(o.nodes, node(name))
				o.pods[name] = []*corev1.Pod{pod(name, name+" new ready")}
			}
			for b.Loop() {
				if p := decide(o); !p.empty() {
					b.Fatal("something is to be done")
				}
				o.status()
			}
		})
	}
}

func TestTheSoonerOfTwoWaits(t *testing.T) {
	for _, test := range []struct{ a, b, want time.Duration }{{0, 0, 0}, {0, 2, 2}, {3, 0, 3}, {3, 2, 2}} {
		if got := sooner(test.a, test.b); got != test.want {
			t.Errorf("of %d and %d: %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
