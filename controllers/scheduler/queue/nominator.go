package queue

import (
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

// Nominator remembers which pods wait for room that is being made for them on
// a node. It is safe for concurrent use.
type Nominator struct {
	mu     sync.Mutex
	byNode map[string]map[types.UID]*snapshot.Pod
	nodeOf map[types.UID]string
}

// NewNominator returns one that knows of no pods.
func NewNominator() *Nominator {
	return &Nominator{byNode: map[string]map[types.UID]*snapshot.Pod{}, nodeOf: map[types.UID]string{}}
}

// Set nominates a pod to a node, in place of the one that it was nominated to before, which it returns. "" is none.
func (n *Nominator) Set(pod *snapshot.Pod, node string) (before string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before = n.remove(pod.UID)
	if node == "" {
		return before
	}
	if n.byNode[node] == nil {
		n.byNode[node] = map[types.UID]*snapshot.Pod{}
	}
	n.byNode[node][pod.UID] = pod
	n.nodeOf[pod.UID] = node
	return before
}

// Remove forgets a pod, and returns the node that it was nominated to, or "".
func (n *Nominator) Remove(uid types.UID) (before string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.remove(uid)
}

func (n *Nominator) remove(uid types.UID) string {
	node, known := n.nodeOf[uid]
	if !known {
		return ""
	}
	delete(n.nodeOf, uid)
	delete(n.byNode[node], uid)
	if len(n.byNode[node]) == 0 {
		delete(n.byNode, node)
	}
	return node
}

// NodeOf returns the node that a pod is nominated to, or "".
func (n *Nominator) NodeOf(uid types.UID) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.nodeOf[uid]
}

// On lists the pods nominated to a node.
func (n *Nominator) On(node string) []*snapshot.Pod {
	n.mu.Lock()
	defer n.mu.Unlock()
	pods := make([]*snapshot.Pod, 0, len(n.byNode[node]))
	for _, pod := range n.byNode[node] {
		pods = append(pods, pod)
	}
	return pods
}

// All lists all nominated pods by node. What comes later is not in it.
func (n *Nominator) All() map[string][]*snapshot.Pod {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make(map[string][]*snapshot.Pod, len(n.byNode))
	for node, pods := range n.byNode {
		all[node] = slices.Collect(maps.Values(pods))
	}
	return all
}
