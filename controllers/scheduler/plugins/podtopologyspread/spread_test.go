package podtopologyspread

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/internal/opinions"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

const (
	no        = "node(s) didn't match pod topology spread constraints"
	unlabeled = "!node(s) didn't match pod topology spread constraints (missing required label)"
)

func spreadOver(key string, skew int32, effect corev1.UnsatisfiableConstraintAction, change ...func(*corev1.TopologySpreadConstraint)) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		c := corev1.TopologySpreadConstraint{TopologyKey: key, MaxSkew: skew, WhenUnsatisfiable: effect,
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "a"}}}
		for _, change := range change {
			change(&c)
		}
		p.Spec.TopologySpreadConstraints = append(p.Spec.TopologySpreadConstraints, c)
	}
}

func app(name string) *corev1.Pod { return opinions.Pod(name, opinions.Labels("app=a")) }

func leaving(p *corev1.Pod) *corev1.Pod {
	p.DeletionTimestamp = ptr.To(metav1.Now())
	return p
}

func newPlugin() *Plugin { return New(informers.NewSharedInformerFactory(fake.NewClientset(), 0)) }

func TestSkew(t *testing.T) {
	const hard = corev1.DoNotSchedule
	world := func() []*snapshot.Node {
		return []*snapshot.Node{
			opinions.Node("a1", "zone=a", app("1"), app("2")),
			opinions.Node("a2", "zone=a"),
			opinions.Node("b1", "zone=b", app("3"), leaving(app("4")), opinions.Pod("other")),
			opinions.Node("none", ""),
		}
	}
	for name, test := range map[string]struct {
		pod  func(*corev1.Pod)
		want []string
	}{
		"by zone":              {spreadOver("zone", 1, hard), []string{no, no, "ok", unlabeled}},
		"by zone, wider":       {spreadOver("zone", 2, hard), []string{"ok", "ok", "ok", unlabeled}},
		"by node":              {spreadOver(corev1.LabelHostname, 1, hard), []string{no, "ok", no, "ok"}},
		"too few domains":      {spreadOver("zone", 2, hard, func(c *corev1.TopologySpreadConstraint) { c.MinDomains = ptr.To[int32](3) }), []string{no, no, "ok", unlabeled}},
		"another kind of pods": {spreadOver("zone", 1, hard, func(c *corev1.TopologySpreadConstraint) { c.LabelSelector.MatchLabels["app"] = "b" }), []string{"ok", "ok", "ok", unlabeled}},
		"soft does not reject": {spreadOver("zone", 1, corev1.ScheduleAnyway), []string{"ok", "ok", "ok", "ok"}},
	} {
		t.Run(name, func(t *testing.T) {
			opinions.Expect(t, opinions.Filter(t, newPlugin(), opinions.Pod("p", opinions.Labels("app=a"), test.pod), world()...), test.want...)
		})
	}
}

func TestNodesThatThePodCannotUseDoNotCount(t *testing.T) {
	pod := opinions.Pod("p", opinions.Labels("app=a"), spreadOver("zone", 1, corev1.DoNotSchedule),
		func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"pool": "x"} })
	nodes := []*snapshot.Node{opinions.Node("a", "zone=a,pool=x", app("1")), opinions.Node("b", "zone=b,pool=y")}
	opinions.Expect(t, opinions.Filter(t, newPlugin(), pod, nodes...), "ok", "ok")
	pod.Spec.TopologySpreadConstraints[0].NodeAffinityPolicy = ptr.To(corev1.NodeInclusionPolicyIgnore)
	opinions.Expect(t, opinions.Filter(t, newPlugin(), pod, nodes...), no, "ok")
}

func TestMatchLabelKeys(t *testing.T) {
	pod := opinions.Pod("p", opinions.Labels("app=a,version=2"), spreadOver("zone", 1, corev1.DoNotSchedule,
		func(c *corev1.TopologySpreadConstraint) { c.MatchLabelKeys = []string{"version", "absent"} }))
	old := opinions.Pod("old", opinions.Labels("app=a,version=1"))
	opinions.Expect(t, opinions.Filter(t, newPlugin(), pod, opinions.Node("a", "zone=a", old), opinions.Node("b", "zone=b")), "ok", "ok")
}

func TestRemovedPodsMakeRoom(t *testing.T) {
	running, err := snapshot.NewPod(app("1"))
	if err != nil {
		t.Fatal(err)
	}
	a, b := opinions.Node("a", "zone=a", app("1")), opinions.Node("b", "zone=b")
	pod, err := snapshot.NewPod(opinions.Pod("p", opinions.Labels("app=a"), spreadOver("zone", 1, corev1.DoNotSchedule)))
	if err != nil {
		t.Fatal(err)
	}
	opinion, status := newPlugin().Prepare(pod, snapshot.Of(a, b))
	if status != nil || opinion.Filter(a) == nil {
		t.Fatalf("status %v: a is not rejected", status)
	}
	opinion.PodRemoved(running, a)
	if status := opinion.Filter(a); status != nil {
		t.Errorf("after removal: %s", status)
	}
	opinion.PodAdded(running, a)
	if opinion.Filter(a) == nil {
		t.Error("a is not rejected after the pod came back")
	}
}

func TestSoftConstraintsPreferEmptyDomains(t *testing.T) {
	pod := opinions.Pod("p", opinions.Labels("app=a"), spreadOver("zone", 1, corev1.ScheduleAnyway))
	scores := opinions.Score(t, newPlugin(), pod, opinions.Node("a", "zone=a", app("1"), app("2")), opinions.Node("b", "zone=b", app("3")), opinions.Node("none", ""))
	opinions.Expect(t, scores, 33, 100, 0)
}

func TestPodsOfAReplicaSetSpreadByDefault(t *testing.T) {
	factory := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
	sets := factory.Apps().V1().ReplicaSets().Informer().GetStore()
	err := sets.Add(&appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "set"},
		Spec: appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "a"}}}})
	if err != nil {
		t.Fatal(err)
	}
	pod := opinions.Pod("p", opinions.Labels("app=a"), func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "set", Controller: ptr.To(true)}}
	})
	scores := opinions.Score(t, New(factory), pod, opinions.Node("a", "", app("1"), app("2"), app("3")), opinions.Node("b", ""))
	if scores[0] >= scores[1] {
		t.Errorf("scores %v: the empty node is no better", scores)
	}
	opinions.Expect(t, opinions.Score(t, New(factory), opinions.Pod("single"), opinions.Node("a", "")))
}

func TestOnlyPodsThatCountHelp(t *testing.T) {
	pod := opinions.Pod("p", opinions.Labels("app=a"), spreadOver("zone", 1, corev1.DoNotSchedule))
	for name, test := range map[string]struct {
		other *corev1.Pod
		want  bool
	}{"same kind": {app("x"), true}, "another kind": {opinions.Pod("x"), false}} {
		if got := opinions.Helps(newPlugin(), pod, framework.Event{Action: framework.PodRemoved, Old: test.other}); got != test.want {
			t.Errorf("%s helps: %v, want %v", name, got, test.want)
		}
	}
}
