package nodedeclaredfeatures

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/internal/opinions"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

func restartsAll(p *corev1.Pod) {
	p.Spec.Containers[0].RestartPolicyRules = []corev1.ContainerRestartRule{{Action: corev1.ContainerRestartRuleActionRestartAllContainers}}
}

func able(n *corev1.Node) {
	n.Status.DeclaredFeatures = []string{"RestartAllContainersOnContainerExits"}
}

func TestPodsGoWhereTheirFeaturesAre(t *testing.T) {
	plain, has := opinions.Node("plain", ""), snapshot.NewNode(opinions.Object("has", "", able))
	opinions.Expect(t, opinions.Filter(t, New(), opinions.Pod("p"), plain, has), "ok", "ok")
	opinions.Expect(t, opinions.Filter(t, New(), opinions.Pod("p", restartsAll), plain, has), "!"+missing.Reasons[0], "ok")
}

func TestNodesThatDeclareMoreHelp(t *testing.T) {
	pod, plain, has := opinions.Pod("p", restartsAll), opinions.Object("n", ""), opinions.Object("n", "", able)
	helps := New().Interests()[0].Helps
	if helps(pod, framework.Event{Action: framework.NodeDeclaredFeaturesChanged, New: plain}) {
		t.Error("a node without the feature helps")
	}
	if !helps(pod, framework.Event{Action: framework.NodeDeclaredFeaturesChanged, Old: plain, New: has}) {
		t.Error("a node with the feature does not help")
	}
}
