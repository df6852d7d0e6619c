// Package nodename keeps a pod that names its node to that node.
package nodename

import (
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

var mismatch = framework.Reject(framework.Unresolvable, "node(s) didn't match the requested node name")

// Plugin matters for pods in the making only: one with a node is not queued.
type Plugin struct{}

// Name is the plugin's name upstream.
func (Plugin) Name() string { return "NodeName" }

// Interests are new nodes.
func (Plugin) Interests() []framework.Interest {
	return []framework.Interest{{Actions: framework.NodeAdded}}
}

// Prepare restricts a pod with a node name to that node.
func (Plugin) Prepare(pod *snapshot.Pod, _ *snapshot.Snapshot) (framework.Opinion, *framework.Status) {
	wanted := pod.Spec.NodeName
	if wanted == "" {
		return framework.Opinion{}, nil
	}
	return framework.Opinion{
		Only: sets.New(wanted),
		Filter: func(node *snapshot.Node) *framework.Status {
			if node.Name != wanted {
				return mismatch
			}
			return nil
		},
	}, nil
}
