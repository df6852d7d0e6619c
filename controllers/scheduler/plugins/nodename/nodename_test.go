package nodename

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/controllers/scheduler/internal/opinions"
)

func TestOnlyTheNamedNode(t *testing.T) {
	a, b := opinions.Node("a", ""), opinions.Node("b", "")
	opinions.Expect(t, opinions.Filter(t, Plugin{}, opinions.Pod("p"), a, b), "ok", "ok")
	named := opinions.Pod("p", func(p *corev1.Pod) { p.Spec.NodeName = "b" })
	opinions.Expect(t, opinions.Filter(t, Plugin{}, named, a, b), "not in question", "ok")
}
