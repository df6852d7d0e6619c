// Package nodeports keeps pods apart that want the same port of a node.
package nodeports

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

var taken = framework.Reject(framework.Unschedulable, "node(s) didn't have free ports for the requested pod ports")

// Plugin looks at host ports.
type Plugin struct{}

// Name is the plugin's name upstream.
func (Plugin) Name() string { return "NodePorts" }

// Interests are nodes that come, and pods that go and free a port.
func (Plugin) Interests() []framework.Interest {
	return []framework.Interest{
		{Actions: framework.NodeAdded},
		{Actions: framework.PodRemoved, Helps: func(pod *corev1.Pod, event framework.Event) bool {
			gone, ok := event.Old.(*corev1.Pod)
			if !ok {
				return false
			}
			freed := snapshot.NewNode(&corev1.Node{})
			for _, port := range snapshot.HostPortsOf(gone) {
				freed.Ports.Take(port)
			}
			return conflicts(freed, snapshot.HostPortsOf(pod))
		}},
	}
}

// Prepare rejects nodes where one of the pod's host ports is taken.
func (Plugin) Prepare(pod *snapshot.Pod, _ *snapshot.Snapshot) (framework.Opinion, *framework.Status) {
	wanted := snapshot.HostPortsOf(pod.Pod)
	if len(wanted) == 0 {
		return framework.Opinion{}, nil
	}
	return framework.Opinion{Filter: func(node *snapshot.Node) *framework.Status {
		if conflicts(node, wanted) {
			return taken
		}
		return nil
	}}, nil
}

func conflicts(node *snapshot.Node, wanted []snapshot.HostPort) bool {
	for _, port := range wanted {
		if node.Ports.Conflicts(port) {
			return true
		}
	}
	return false
}
