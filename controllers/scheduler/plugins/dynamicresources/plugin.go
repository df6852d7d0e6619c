// Package dynamicresources keeps pods that ask for devices by ResourceClaims off all nodes: nobody allocates claims here,
// and without its devices a pod must not run.
package dynamicresources

import (
	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

var noDevices = framework.Reject(framework.Unresolvable, "pod has resourceClaims, and dynamic resource allocation is not available in this cluster")

// Plugin rejects pods with resource claims.
type Plugin struct{}

// Name is the plugin's name upstream.
func (Plugin) Name() string { return "DynamicResources" }

// Interests are none: no event gives such a pod its devices, nor can it do without them.
func (Plugin) Interests() []framework.Interest { return nil }

// Prepare rejects the pod for all nodes, if it has claims.
func (Plugin) Prepare(pod *snapshot.Pod, _ *snapshot.Snapshot) (framework.Opinion, *framework.Status) {
	if len(pod.Spec.ResourceClaims) > 0 {
		return framework.Opinion{}, noDevices
	}
	return framework.Opinion{}, nil
}
