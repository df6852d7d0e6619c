package tainttoleration

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/internal/opinions"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

func taint(effects ...corev1.TaintEffect) func(*corev1.Node) {
	return func(n *corev1.Node) {
		for _, effect := range effects {
			n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: "k", Value: "v", Effect: effect})
		}
	}
}

func tolerate(toleration corev1.Toleration) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.Tolerations = append(p.Spec.Tolerations, toleration) }
}

func TestUntoleratedTaintsKeepPodsOff(t *testing.T) {
	const no = "!node(s) had untolerated taint(s)"
	nodes := []*snapshot.Node{
		opinions.Node("plain", ""),
		snapshot.NewNode(opinions.Object("schedule", "", taint(corev1.TaintEffectNoSchedule))),
		snapshot.NewNode(opinions.Object("execute", "", taint(corev1.TaintEffectNoExecute))),
		snapshot.NewNode(opinions.Object("prefer", "", taint(corev1.TaintEffectPreferNoSchedule))),
	}
	for name, test := range map[string]struct {
		toleration corev1.Toleration
		want       []string
	}{
		"none":            {corev1.Toleration{Key: "other"}, []string{"ok", no, no, "ok"}},
		"equal value":     {corev1.Toleration{Key: "k", Value: "v"}, []string{"ok", "ok", "ok", "ok"}},
		"other value":     {corev1.Toleration{Key: "k", Value: "w"}, []string{"ok", no, no, "ok"}},
		"one effect":      {corev1.Toleration{Key: "k", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}, []string{"ok", no, "ok", "ok"}},
		"everything":      {corev1.Toleration{Operator: corev1.TolerationOpExists}, []string{"ok", "ok", "ok", "ok"}},
		"any value of it": {corev1.Toleration{Key: "k", Operator: corev1.TolerationOpExists}, []string{"ok", "ok", "ok", "ok"}},
	} {
		t.Run(name, func(t *testing.T) {
			opinions.Expect(t, opinions.Filter(t, Plugin{}, opinions.Pod("p", tolerate(test.toleration)), nodes...), test.want...)
		})
	}
}

func TestFewerSoftTaintsAreBetter(t *testing.T) {
	soft := corev1.TaintEffectPreferNoSchedule
	nodes := []*snapshot.Node{
		opinions.Node("none", ""),
		snapshot.NewNode(opinions.Object("one", "", taint(soft))),
		snapshot.NewNode(opinions.Object("two", "", taint(soft, soft))),
	}
	opinions.Expect(t, opinions.Score(t, Plugin{}, opinions.Pod("p"), nodes...), 100, 50, 0)
	tolerant := opinions.Pod("p", tolerate(corev1.Toleration{Key: "k", Operator: corev1.TolerationOpExists}))
	opinions.Expect(t, opinions.Score(t, Plugin{}, tolerant, nodes...), 100, 100, 100)
}

func TestOnlyToleratedTaintsHelp(t *testing.T) {
	event := framework.Event{Action: framework.NodeTaintsChanged, New: opinions.Object("n", "", taint(corev1.TaintEffectNoSchedule))}
	if opinions.Helps(Plugin{}, opinions.Pod("p"), event) {
		t.Error("a taint that is not tolerated helps")
	}
	if !opinions.Helps(Plugin{}, opinions.Pod("p", tolerate(corev1.Toleration{Key: "k", Value: "v"})), event) {
		t.Error("a tolerated taint does not help")
	}
}
