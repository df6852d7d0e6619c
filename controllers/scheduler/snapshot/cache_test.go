package snapshot

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func node(name, zone string) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelTopologyZone: zone}}}
}

func pod(name, on string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name)},
		Spec: corev1.PodSpec{NodeName: on, Containers: []corev1.Container{{
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}},
			Ports:     []corev1.ContainerPort{{HostPort: 80}},
		}}},
	}
}

func put(t *testing.T, c *Cache, pods ...*corev1.Pod) {
	t.Helper()
	for _, p := range pods {
		if err := c.SetPod(p); err != nil {
			t.Fatal(err)
		}
	}
}

func names(s *Snapshot) []string {
	var all []string
	for _, n := range s.Nodes {
		all = append(all, n.Name)
	}
	return all
}

func TestNodesAlternateBetweenZones(t *testing.T) {
	c := NewCache()
	for _, n := range []*corev1.Node{node("a1", "a"), node("a2", "a"), node("a3", "a"), node("b1", "b"), node("c1", "c")} {
		c.SetNode(n)
	}
	if got, want := names(c.Snapshot()), []string{"a1", "b1", "c1", "a2", "a3"}; !slices.Equal(got, want) {
		t.Errorf("nodes %v, want %v", got, want)
	}
	c.RemoveNode("b1")
	c.SetNode(node("c1", "a"))
	if got, want := names(c.Snapshot()), []string{"a1", "a2", "a3", "c1"}; !slices.Equal(got, want) {
		t.Errorf("nodes %v, want %v", got, want)
	}
}

func TestOnlyChangedNodesAreCopied(t *testing.T) {
	c := NewCache()
	c.SetNode(node("a", ""))
	c.SetNode(node("b", ""))
	first := c.Snapshot()
	a, b := first.Node("a"), first.Node("b")
	put(t, c, pod("p", "a"))
	second := c.Snapshot()
	if second.Node("b") != b {
		t.Error("b was copied, though nothing has changed there")
	}
	if second.Node("a") == a || len(a.Pods) != 0 || len(second.Node("a").Pods) != 1 || second.Nodes[0] != second.Node("a") {
		t.Error("a's old picture changed, or the new one has no pod")
	}
}

func TestPodsAddUp(t *testing.T) {
	c := NewCache()
	put(t, c, pod("early", "a"))
	c.SetNode(node("a", ""))
	put(t, c, pod("p", "a"))
	n := c.Snapshot().Node("a")
	if n.Requested.MilliCPU != 2000 || n.NonZero.Memory != 2*defaultMemory || n.Ports[HostPort{anyIP, corev1.ProtocolTCP, 80}] != 2 {
		t.Errorf("requested %+v, with defaults %+v, ports %v", n.Requested, n.NonZero, n.Ports)
	}
	put(t, c, pod("p", "b"))
	c.RemovePod("early")
	c.RemovePod("unknown")
	n = c.Snapshot().Node("a")
	if len(n.Pods) != 0 || n.Requested.MilliCPU != 0 || len(n.Ports) != 0 {
		t.Errorf("after the pods went: %+v", n)
	}
	c.RemovePod("p")
	if len(c.nodes) != 1 {
		t.Errorf("%d nodes are known, b has no pods left", len(c.nodes))
	}
}

func TestAssumedPods(t *testing.T) {
	c := NewCache()
	c.SetNode(node("a", ""))
	c.SetNode(node("b", ""))
	assumed, err := NewPod(pod("p", ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Assume(assumed, "a"); err != nil {
		t.Fatal(err)
	}
	if err := c.Assume(assumed, "b"); err == nil {
		t.Error("assumed twice")
	}
	if !c.Holds("p") || len(c.Snapshot().Node("a").Pods) != 1 {
		t.Error("the assumed pod is not there")
	}
	c.Forget("p")
	if c.Holds("p") || len(c.Snapshot().Node("a").Pods) != 0 {
		t.Error("the forgotten pod is still there")
	}
	if err := c.Assume(assumed, "a"); err != nil {
		t.Fatal(err)
	}
	put(t, c, pod("p", "a"))
	c.Forget("p")
	if len(c.Snapshot().Node("a").Pods) != 1 {
		t.Error("a confirmed pod was forgotten")
	}
}

func TestNodesWithAffinity(t *testing.T) {
	c := NewCache()
	c.SetNode(node("a", ""))
	c.SetNode(node("b", ""))
	shy := pod("shy", "b")
	shy.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: "zone"}},
	}}
	put(t, c, shy)
	if s := c.Snapshot(); len(s.AntiAffine) != 1 || s.AntiAffine[0].Name != "b" || len(s.Affine) != 1 {
		t.Errorf("anti-affine %v", s.AntiAffine)
	}
	c.RemovePod("shy")
	if s := c.Snapshot(); len(s.AntiAffine) != 0 {
		t.Errorf("anti-affine %v", s.AntiAffine)
	}
}

func TestMalformedAffinityIsAnError(t *testing.T) {
	p := pod("p", "a")
	p.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
		{TopologyKey: "zone", LabelSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "k", Operator: "Sort"}}}},
	}}}
	if _, err := NewPod(p); err == nil {
		t.Error("no error")
	}
}
