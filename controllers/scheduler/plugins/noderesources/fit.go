// Package noderesources keeps pods to nodes that have what they request, and
// prefers nodes that have much left, evenly.
package noderesources

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

var tooManyPods = "Too many pods"

// Fit rejects nodes without room and prefers those with the most.
type Fit struct{}

// Name is the plugin's name upstream.
func (Fit) Name() string { return "NodeResourcesFit" }

// Interests are nodes that come or grow, and pods that go or shrink.
func (Fit) Interests() []framework.Interest {
	return []framework.Interest{
		{Actions: framework.NodeAdded | framework.NodeAllocatableChanged, Helps: nodeHelps},
		{Actions: framework.PodRemoved | framework.PodShrunk},
		{Actions: framework.SelfChanged, Helps: func(_ *corev1.Pod, event framework.Event) bool {
			old, ok := event.Old.(*corev1.Pod)
			pod, also := event.New.(*corev1.Pod)
			return ok && also && old.Generation != pod.Generation
		}},
	}
}

// nodeHelps says whether an empty node of this size would hold the pod, and
// whether it has more of something than before.
func nodeHelps(object *corev1.Pod, event framework.Event) bool {
	node, ok := event.New.(*corev1.Node)
	if !ok {
		return false
	}
	pod, err := snapshot.NewPod(object)
	if err != nil {
		return true
	}
	now := snapshot.NewNode(node)
	if insufficient(pod, now) != nil {
		return false
	}
	old, ok := event.Old.(*corev1.Node)
	if !ok {
		return true
	}
	before := snapshot.NewNode(old)
	if now.Allocatable.Pods > before.Allocatable.Pods {
		return true
	}
	for _, name := range requested(pod) {
		if now.Allocatable.Get(name) > before.Allocatable.Get(name) {
			return true
		}
	}
	return false
}

// Prepare rejects nodes that lack something, naming all that they lack.
func (Fit) Prepare(pod *snapshot.Pod, _ *snapshot.Snapshot) (framework.Opinion, *framework.Status) {
	return framework.Opinion{
		Filter: func(node *snapshot.Node) *framework.Status { return insufficient(pod, node) },
		Score: func(feasible []*snapshot.Node) []int64 {
			scores := make([]int64, len(feasible))
			for i, node := range feasible {
				scores[i] = leastAllocated(pod, node)
			}
			return scores
		},
	}, nil
}

// insufficient returns nil when a node has room for a pod. A request that
// the empty node could not meet cannot be helped by removing pods.
func insufficient(pod *snapshot.Pod, node *snapshot.Node) *framework.Status {
	var reasons []string
	code := framework.Unschedulable
	if int64(len(node.Pods)+1) > node.Allocatable.Pods {
		reasons = append(reasons, tooManyPods)
	}
	for _, name := range requested(pod) {
		wants, has := pod.Requests.Get(name), node.Allocatable.Get(name)
		if wants > has-node.Requested.Get(name) {
			reasons = append(reasons, fmt.Sprintf("Insufficient %s", name))
			if wants > has {
				code = framework.Unresolvable
			}
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	return framework.Reject(code, reasons...)
}

// requested lists the resources of which a pod wants any.
func requested(pod *snapshot.Pod) []corev1.ResourceName {
	names := make([]corev1.ResourceName, 0, 4)
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
		if pod.Requests.Get(name) > 0 {
			names = append(names, name)
		}
	}
	for name, amount := range pod.Requests.Other {
		if amount > 0 || core.IsExtended(name) && amount < 0 {
			names = append(names, name)
		}
	}
	return names
}

// leastAllocated is the mean of the parts of CPU and memory that would be
// left, in hundredths; containers without requests count with a default.
func leastAllocated(pod *snapshot.Pod, node *snapshot.Node) int64 {
	var sum, count int64
	for _, name := range [...]corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		has := node.Allocatable.Get(name)
		if has == 0 {
			continue
		}
		count++
		if used := node.NonZero.Get(name) + pod.NonZero.Get(name); used <= has {
			sum += (has - used) * framework.MaxScore / has
		}
	}
	if count == 0 {
		return 0
	}
	return sum / count
}
