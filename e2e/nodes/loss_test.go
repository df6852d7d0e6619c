package nodes

import (
	"fmt"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/e2e/machines"
)

// quickLoss makes the server miss a node soon: kubelets report every 10 seconds.
var quickLoss = []string{"--node-monitor-grace-period=14s"}

// lossWait is how long it may take on a busy machine until a node is missed.
const lossWait = 40 * time.Second

func TestLostNodeIsTaintedItsPodsMoveAndItComesBack(t *testing.T) {
	long(t)
	c := newCluster(t, machines.Config{Agents: 1, ServerFlags: quickLoss})
	c.deploy(3)
	first := c.movedTo("agent1", "")
	if err := c.Agent(1).Kill(); err != nil {
		t.Fatal(err)
	}
	c.within(lossWait, "the node is not Ready", func() error { return c.nodeReady("agent1", corev1.ConditionUnknown) })
	c.soon("it is tainted", func() error { return c.tainted("agent1", true) })
	second := c.movedTo("server", first)
	if taint, began := c.taintTime("agent1"), c.created(second); began.Sub(taint) < 2*time.Second {
		t.Errorf("tainted at %s, the Pod moved at %s: the toleration of 3 seconds did not hold", taint, began)
	}
	if len(c.processes(c.Agent(1))) == 0 {
		t.Error("the container of a node that is only lost from sight was ended")
	}
	if err := c.Agent(1).Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.soon("the node is Ready again", func() error { return c.nodeReady("agent1", corev1.ConditionTrue) })
	c.soon("it is not tainted any more", func() error { return c.tainted("agent1", false) })
	c.within(time.Minute, "the evicted Pod's container is ended and the Pod is gone", func() error {
		if left := c.processes(c.Agent(1)); len(left) > 0 {
			return fmt.Errorf("processes: %v", left)
		}
		if _, err := c.client.CoreV1().Pods(metav1.NamespaceDefault).Get(t.Context(), first, metav1.GetOptions{}); err == nil {
			return fmt.Errorf("Pod %s is there", first)
		}
		return nil
	})
	c.run(web("again", "agent1"))
}

func TestPartitionedNodeKeepsItsPodsAndServesAgainWhenHealed(t *testing.T) {
	long(t)
	c := newCluster(t, machines.Config{Agents: 1, ServerFlags: quickLoss})
	patient := func(p *corev1.Pod) { p.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}} }
	pods := c.run(web("here", "server", patient), web("there", "agent1", patient))
	service := c.expose()
	c.balanced(pods[0], service.Spec.ClusterIP, 2)
	before, processes := c.containers("agent1"), c.processes(c.Agent(1))
	if err := c.Agent(1).Partition(); err != nil {
		t.Fatal(err)
	}
	c.within(lossWait, "the node is not Ready", func() error { return c.nodeReady("agent1", corev1.ConditionUnknown) })
	c.soon("the Service has no endpoint there", func() error {
		all, err := c.client.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).List(t.Context(), metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=web"})
		if err != nil {
			return err
		}
		for _, s := range all.Items {
			for _, e := range s.Endpoints {
				if *e.NodeName == "agent1" && ptr.Deref(e.Conditions.Ready, true) {
					return fmt.Errorf("endpoint %v is ready", e.Addresses)
				}
			}
		}
		return nil
	})
	for range 10 {
		if answer, err := c.ask(pods[0], service.Spec.ClusterIP, 80); err != nil || answer != "here version v1" {
			t.Errorf("the Service answers %q, %v", answer, err)
		}
	}
	if err := c.Agent(1).Heal(); err != nil {
		t.Fatal(err)
	}
	c.within(lossWait, "the node is Ready again", func() error { return c.nodeReady("agent1", corev1.ConditionTrue) })
	c.balanced(pods[0], service.Spec.ClusterIP, 2)
	if after := c.containers("agent1"); !slices.Equal(before, after) {
		t.Errorf("containers before %v, after %v", before, after)
	}
	if after := c.processes(c.Agent(1)); !slices.Equal(processes, after) {
		t.Errorf("processes before %v, after %v", processes, after)
	}
	c.run(web("again", "agent1"))
}

// deploy makes a Deployment of one Pod that prefers agent1, and tolerates the loss of its node for so many seconds.
func (c *cluster) deploy(seconds int64) {
	c.t.Helper()
	pod := web("", "")
	pod.Spec.NodeSelector = nil
	pod.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{
		Weight: 100, Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{"agent1"}},
		}},
	}}}}
	for _, key := range []string{corev1.TaintNodeUnreachable, corev1.TaintNodeNotReady} {
		pod.Spec.Tolerations = append(pod.Spec.Tolerations, corev1.Toleration{
			Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &seconds,
		})
	}
	_, err := c.client.AppsV1().Deployments(metav1.NamespaceDefault).Create(c.t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: pod.Labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
}

// movedTo waits until the Deployment has a Ready Pod on a node, other than the former, and returns its name.
func (c *cluster) movedTo(node, former string) (name string) {
	c.t.Helper()
	c.within(lossWait, "the Deployment's Pod is Ready on "+node, func() error {
		pods, err := c.client.CoreV1().Pods(metav1.NamespaceDefault).List(c.t.Context(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, p := range pods.Items {
			if p.Spec.NodeName == node && p.Name != former && p.DeletionTimestamp == nil && ready(&p) {
				name = p.Name
				return nil
			}
		}
		return fmt.Errorf("it is not among %d Pods", len(pods.Items))
	})
	return name
}

// tainted says whether the node has the taints of one that cannot be reached, or none.
func (c *cluster) tainted(name string, is bool) error {
	node, err := c.client.CoreV1().Nodes().Get(c.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	has := func(effect corev1.TaintEffect) bool {
		return slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == corev1.TaintNodeUnreachable && t.Effect == effect })
	}
	if is && has(corev1.TaintEffectNoExecute) && has(corev1.TaintEffectNoSchedule) || !is && len(node.Spec.Taints) == 0 {
		return nil
	}
	return fmt.Errorf("taints: %v", node.Spec.Taints)
}

// taintTime is when the node was tainted so that Pods have to leave.
func (c *cluster) taintTime(name string) time.Time {
	c.t.Helper()
	node, err := c.client.CoreV1().Nodes().Get(c.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	for _, taint := range node.Spec.Taints {
		if taint.Effect == corev1.TaintEffectNoExecute && taint.TimeAdded != nil {
			return taint.TimeAdded.Time
		}
	}
	c.t.Fatalf("taints of %s: %v", name, node.Spec.Taints)
	return time.Time{}
}

// created is when a Pod was created.
func (c *cluster) created(name string) time.Time {
	c.t.Helper()
	pod, err := c.client.CoreV1().Pods(metav1.NamespaceDefault).Get(c.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	return pod.CreationTimestamp.Time
}
