package nodeunschedulable

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/internal/opinions"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

func cordon(n *corev1.Node) { n.Spec.Unschedulable = true }

func tolerant(p *corev1.Pod) {
	p.Spec.Tolerations = []corev1.Toleration{{Key: corev1.TaintNodeUnschedulable, Operator: corev1.TolerationOpExists}}
}

func TestCordonedNodesAreLeftOut(t *testing.T) {
	nodes := []*snapshot.Node{opinions.Node("a", ""), snapshot.NewNode(opinions.Object("b", "", cordon))}
	opinions.Expect(t, opinions.Filter(t, Plugin{}, opinions.Pod("p"), nodes...), "ok", "!node(s) were unschedulable")
	opinions.Expect(t, opinions.Filter(t, Plugin{}, opinions.Pod("p", tolerant), nodes...), "ok", "ok")
}

func TestUncordoningHelps(t *testing.T) {
	open, closed := opinions.Object("a", ""), opinions.Object("a", "", cordon)
	uncordoned := framework.Event{Action: framework.NodeTaintsChanged, Old: closed, New: open}
	if !opinions.Helps(Plugin{}, opinions.Pod("p"), uncordoned) {
		t.Error("uncordoning does not help")
	}
	if opinions.Helps(Plugin{}, opinions.Pod("p"), framework.Event{Action: framework.NodeAdded, New: closed}) {
		t.Error("a new cordoned node helps")
	}
}
