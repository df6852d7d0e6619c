package queue

import (
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

// Set nominates a pod to a node, in place of any it was nominated to before.
func (n *Nominator) Set(pod *snapshot.Pod, node string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.remove(pod.UID)
	if node == "" {
		return
	}
	if n.byNode[node] == nil {
		n.byNode[node] = map[types.UID]*snapshot.Pod{}
	}
	n.byNode[node][pod.UID] = pod
	n.nodeOf[pod.UID] = node
}

// Remove forgets a pod.
func (n *Nominator) Remove(uid types.UID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.remove(uid)
}

func (n *Nominator) remove(uid types.UID) {
	node, known := n.nodeOf[uid]
	if !known {
		return
	}
	delete(n.nodeOf, uid)
	delete(n.byNode[node], uid)
	if len(n.byNode[node]) == 0 {
		delete(n.byNode, node)
	}
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

// Empty says whether no pod is nominated.
func (n *Nominator) Empty() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.nodeOf) == 0
}
