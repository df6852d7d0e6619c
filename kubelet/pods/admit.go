package pods

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/kubelet/status"
)

// admit refuses a Pod that this node cannot run: one that was bound without the scheduler, or by one whose picture of
// the node was old. A Pod that has ever started here is not looked at again.
func (w *worker) admit(f facts) *status.Verdict {
	w.mu.Lock()
	accepted := w.accepted || len(f.runtime.Sandboxes) > 0
	w.mu.Unlock()
	if accepted || f.removed || f.verdict != nil || f.pod.DeletionTimestamp != nil || terminal(f.pod.Status.Phase) {
		return nil
	}
	node := w.Node()
	if node == nil {
		return nil
	}
	w.Manager.admission.Lock()
	defer w.Manager.admission.Unlock()
	if verdict := fits(f.pod, node, w.acceptedPods()); verdict != nil {
		return verdict
	}
	w.mu.Lock()
	w.accepted = true
	w.mu.Unlock()
	return nil
}

// acceptedPods are the Pods that hold a share of the node.
func (m *Manager) acceptedPods() []*corev1.Pod {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []*corev1.Pod
	for _, w := range m.workers {
		w.mu.Lock()
		if (w.accepted || len(w.seen.Sandboxes) > 0) && !w.removed && w.verdict == nil && !core.PodTerminal(w.pod) {
			list = append(list, withResources(w.pod, w.granted))
		}
		w.mu.Unlock()
	}
	return list
}

// fits returns why a Pod cannot run beside the others on the node; nil where it can.
func fits(pod *corev1.Pod, node *corev1.Node, others []*corev1.Pod) *status.Verdict {
	others = slices.DeleteFunc(slices.Clone(others), func(o *corev1.Pod) bool { return o.UID == pod.UID })
	if limit := node.Status.Allocatable.Pods(); !limit.IsZero() && int64(len(others))+1 > limit.Value() {
		return outOf(corev1.ResourcePods, 1, int64(len(others)), limit.Value())
	}
	if ok, err := nodeaffinity.GetRequiredNodeAffinity(pod).Match(node); err != nil || !ok {
		return &status.Verdict{Warning: true, Reason: "NodeAffinity", Message: "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"}
	}
	if portTaken(pod, others) {
		return &status.Verdict{Warning: true, Reason: "NodePorts", Message: "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"}
	}
	used := corev1.ResourceList{}
	for _, o := range others {
		for name, q := range core.ResourceRequests(o) {
			sum := used[name]
			sum.Add(q)
			used[name] = sum
		}
	}
	for name, asked := range core.ResourceRequests(pod) {
		have, known := node.Status.Allocatable[name]
		if asked.IsZero() || !known && !core.IsExtended(name) {
			continue
		}
		taken := used[name]
		sum := taken.DeepCopy()
		sum.Add(asked)
		if sum.Cmp(have) > 0 {
			if name == corev1.ResourceCPU {
				return outOf(name, asked.MilliValue(), taken.MilliValue(), have.MilliValue())
			}
			return outOf(name, asked.Value(), taken.Value(), have.Value())
		}
	}
	return nil
}

func outOf(name corev1.ResourceName, asked, used, have int64) *status.Verdict {
	return &status.Verdict{
		Warning: true,
		Reason:  "OutOf" + string(name),
		Message: fmt.Sprintf("Pod was rejected: Node didn't have enough resource: %s, requested: %d, used: %d, capacity: %d",
			name, asked, used, have),
	}
}

func portTaken(pod *corev1.Pod, others []*corev1.Pod) bool {
	for _, want := range hostPorts(pod) {
		for _, o := range others {
			for _, has := range hostPorts(o) {
				sameIP := want.HostIP == has.HostIP || anyIP(want.HostIP) || anyIP(has.HostIP)
				if want.HostPort == has.HostPort && want.Protocol == has.Protocol && sameIP {
					return true
				}
			}
		}
	}
	return false
}

func anyIP(ip string) bool { return ip == "" || ip == "0.0.0.0" || ip == "::" }

func hostPorts(pod *corev1.Pod) []corev1.ContainerPort {
	var ports []corev1.ContainerPort
	add := func(c *corev1.Container) {
		for _, p := range c.Ports {
			if p.HostPort > 0 {
				ports = append(ports, p)
			}
		}
	}
	for i := range pod.Spec.Containers {
		add(&pod.Spec.Containers[i])
	}
	for i := range pod.Spec.InitContainers {
		if core.IsSidecar(&pod.Spec.InitContainers[i]) {
			add(&pod.Spec.InitContainers[i])
		}
	}
	return ports
}
