package node

import (
	"context"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/apimachinery/lease"
	"k8s.io/utils/clock"
)

const (
	// leaseSeconds is how long a node counts as alive without another sign.
	leaseSeconds = 40
	// renewEvery leaves room for three renewals to fail.
	renewEvery = lookEvery
)

// renewLease renews the node's lease until ctx ends.
// https://kubernetes.io/docs/concepts/architecture/leases/#node-heart-beats
func (n *Node) renewLease(ctx context.Context) {
	owned := func(l *coordinationv1.Lease) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.written != nil {
			l.OwnerReferences = []metav1.OwnerReference{{
				APIVersion: "v1", Kind: "Node", Name: n.Name, UID: n.written.UID,
			}}
		}
		return nil
	}
	lease.NewController(clock.RealClock{}, n.Client, n.Name, leaseSeconds, nil, renewEvery,
		n.Name, corev1.NamespaceNodeLease, owned).Run(ctx)
}
