package controllers_test

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

func readyCondition(status corev1.ConditionStatus) []corev1.NodeCondition {
	return []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status, LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now()}}
}

func hasTaint(node *corev1.Node, key string, effect corev1.TaintEffect) bool {
	return slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == key && t.Effect == effect })
}

// heartbeat makes a Node that beats once.
func heartbeat(t *testing.T, name string) {
	t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	temporary(t, node)
	change(t, node, updateStatus, func(n *corev1.Node) { n.Status.Conditions = readyCondition(corev1.ConditionTrue) })
}

func TestSilentNodeIsUnreachableAndItsPodsGo(t *testing.T) {
	ns := namespace(t)
	heartbeat(t, "alive")
	heartbeat(t, "silent")
	silent := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "silent"}}
	alive := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "alive"}}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "p"},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "c", Image: "i"}},
			Tolerations: []corev1.Toleration{{
				Key: corev1.TaintNodeUnreachable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: ptr.To[int64](1),
			}},
		},
	}
	create(t, pod)
	bind(t, pod, "silent")
	eventually(t, silent, func() error {
		beat := readyCondition(corev1.ConditionTrue)
		change(t, alive, updateStatus, func(n *corev1.Node) { n.Status.Conditions = beat })
		if !hasTaint(silent, corev1.TaintNodeUnreachable, corev1.TaintEffectNoSchedule) || !hasTaint(silent, corev1.TaintNodeUnreachable, corev1.TaintEffectNoExecute) {
			return fmt.Errorf("taints %v", silent.Spec.Taints)
		}
		return nil
	})
	eventually(t, pod, func() error {
		if pod.DeletionTimestamp == nil {
			return fmt.Errorf("not being deleted: %v", pod.Status.Conditions)
		}
		return nil
	})
	if !slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.DisruptionTarget && c.Reason == "DeletionByTaintManager"
	}) {
		t.Errorf("conditions %v, want DisruptionTarget", pod.Status.Conditions)
	}
	change(t, silent, updateStatus, func(n *corev1.Node) { n.Status.Conditions = readyCondition(corev1.ConditionTrue) })
	eventually(t, silent, func() error {
		if len(silent.Spec.Taints) > 0 {
			return fmt.Errorf("taints %v", silent.Spec.Taints)
		}
		return nil
	})
}

func TestNodesGetDifferentRanges(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"range-a", "range-b", "range-c"} {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		temporary(t, node)
		eventually(t, node, func() error {
			if node.Spec.PodCIDR == "" || len(node.Spec.PodCIDRs) != 1 {
				return fmt.Errorf("spec %v", node.Spec)
			}
			return nil
		})
		if other := seen[node.Spec.PodCIDR]; other != "" {
			t.Errorf("%s and %s both have %s", name, other, node.Spec.PodCIDR)
		}
		seen[node.Spec.PodCIDR] = name
	}
}

func TestQuotaFollowsDeletions(t *testing.T) {
	ns := namespace(t)
	q := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "q"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/leases.coordination.k8s.io": quantity("5"), "pods": quantity("5"), "configmaps": quantity("5")}},
	}
	create(t, q)
	usage := func(pods, maps string) func() error {
		return func() error {
			got := fmt.Sprintln(q.Status.Used.Pods(), q.Status.Used.Name("configmaps", "").String(), q.Status.Used.Name("count/leases.coordination.k8s.io", "").String())
			if want := fmt.Sprintln(pods, maps, "0"); got != want {
				return fmt.Errorf("used %s, want %s", got, want)
			}
			return nil
		}
	}
	eventually(t, q, usage("0", "1"))
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "p"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}
	create(t, pod)
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "c"}}
	create(t, config)
	eventually(t, q, usage("1", "2"))
	if err := admin.Delete(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	if err := admin.Delete(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	eventually(t, q, usage("0", "1"))
}
