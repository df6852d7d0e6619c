package noderesources

import (
	"math"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

// Balanced prefers nodes where the pod evens out the use of CPU and memory.
type Balanced struct{}

// Name is the plugin's name upstream.
func (Balanced) Name() string { return "NodeResourcesBalancedAllocation" }

// Interests are none: it rejects nothing.
func (Balanced) Interests() []framework.Interest { return nil }

// Prepare scores nodes for pods that request anything: best-effort pods would
// all go to the same node.
func (Balanced) Prepare(pod *snapshot.Pod, _ *snapshot.Snapshot) (framework.Opinion, *framework.Status) {
	if pod.Requests.MilliCPU == 0 && pod.Requests.Memory == 0 {
		return framework.Opinion{}, nil
	}
	return framework.Opinion{Score: func(feasible []*snapshot.Node) []int64 {
		scores := make([]int64, len(feasible))
		for i, node := range feasible {
			scores[i] = improvement(pod, node)
		}
		return scores
	}}, nil
}

// improvement is 75 when the pod leaves the balance as it is, and up to 25
// more or less when it makes it better or worse.
func improvement(pod *snapshot.Pod, node *snapshot.Node) int64 {
	before := balance(node, 0, 0)
	after := balance(node, pod.Requests.MilliCPU, pod.Requests.Memory)
	return framework.MaxScore/2 + (framework.MaxScore/2+after-before)/2
}

func balance(node *snapshot.Node, milliCPU, memory int64) int64 {
	if node.Allocatable.MilliCPU == 0 || node.Allocatable.Memory == 0 {
		return framework.MaxScore
	}
	cpu := min(float64(node.Requested.MilliCPU+milliCPU)/float64(node.Allocatable.MilliCPU), 1)
	mem := min(float64(node.Requested.Memory+memory)/float64(node.Allocatable.Memory), 1)
	return int64((1 - math.Abs(cpu-mem)/2) * float64(framework.MaxScore))
}
