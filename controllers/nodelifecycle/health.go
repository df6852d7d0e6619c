package nodelifecycle

import (
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/apis/core"
)

// signs are the traces of a Node's life, by this process's own clock: Nodes' clocks may be wrong.
type signs struct {
	uid       types.UID
	seen      time.Time
	heartbeat metav1.Time
	renewed   metav1.MicroTime
	// unmarked is set while Pods still have to be told that their Node is lost.
	unmarked bool
}

// next returns the signs after looking at the Node and its Lease, which may be nil. A Node that was not known before
// counts as seen now; one that has never reported, as seen at its creation.
func (s *signs) next(node *corev1.Node, lease *coordinationv1.Lease, now time.Time) signs {
	ready := core.NodeCondition(&node.Status, corev1.NodeReady)
	after := signs{uid: node.UID, seen: now}
	known := s != nil && s.uid == node.UID
	if known {
		after = *s
	} else if ready == nil {
		after.seen = node.CreationTimestamp.Time
	}
	if ready != nil && !ready.LastHeartbeatTime.Equal(&after.heartbeat) {
		after.heartbeat, after.seen = ready.LastHeartbeatTime, now
	}
	if lease != nil && lease.Spec.RenewTime != nil && after.renewed.Before(lease.Spec.RenewTime) {
		after.renewed, after.seen = *lease.Spec.RenewTime, now
	}
	return after
}

// register holds the signs of all Nodes.
type register struct {
	lock  sync.Mutex
	nodes map[string]*signs
}

func newRegister() *register { return &register{nodes: map[string]*signs{}} }

// look updates a Node's signs and returns them; first is true for a Node that was not known.
func (r *register) look(node *corev1.Node, lease *coordinationv1.Lease, now time.Time) (s signs, first bool) {
	r.lock.Lock()
	defer r.lock.Unlock()
	old := r.nodes[node.Name]
	after := old.next(node, lease, now)
	r.nodes[node.Name] = &after
	return after, old == nil || old.uid != node.UID
}

// mark notes whether the Node's Pods still have to be told.
func (r *register) mark(node string, unmarked bool) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if s := r.nodes[node]; s != nil {
		s.unmarked = unmarked
	}
}

// forget returns the UID of a Node that was known.
func (r *register) forget(node string) (uid types.UID, known bool) {
	r.lock.Lock()
	defer r.lock.Unlock()
	s := r.nodes[node]
	if s == nil {
		return "", false
	}
	delete(r.nodes, node)
	return s.uid, true
}

// reset gives every Node its full time again.
func (r *register) reset(now time.Time) {
	r.lock.Lock()
	defer r.lock.Unlock()
	for _, s := range r.nodes {
		s.seen = now
	}
}

// unmarked reports whether the Node's Pods still have to be told.
func (r *register) unmarked(node string) bool {
	r.lock.Lock()
	defer r.lock.Unlock()
	s := r.nodes[node]
	return s != nil && s.unmarked
}
