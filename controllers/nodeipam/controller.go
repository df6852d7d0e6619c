// Package nodeipam gives each Node a range of the cluster's Pod addresses.
package nodeipam

import (
	"context"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

// Name is the controller's.
const Name = "node-ipam-controller"

type controller struct {
	client   client.Client
	recorder events.EventRecorder
	ranges   ranges
}

// Register puts the controller on the manager. It wakes for Nodes. Nodes get ranges of the given prefix length; zero
// means 24 for IPv4 and 64 for IPv6. Ranges that overlap reserved are not given away.
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder, cluster, reserved netip.Prefix, bits int) error {
	if bits == 0 {
		bits = 24
		if cluster.Addr().Is6() {
			bits = 64
		}
	}
	if bits < cluster.Bits() || bits > cluster.Addr().BitLen() {
		return fmt.Errorf("cutting ranges of /%d from %s: they do not fit", bits, cluster)
	}
	r := &controller{client: c, recorder: recorder, ranges: ranges{cluster: cluster.Masked(), reserved: reserved, bits: bits}}
	// One worker: what a range is taken by must be seen before the next is chosen.
	return loop.New(mgr, Name, 1).
		For(&corev1.Node{}).
		Complete(reconcile.AsReconciler[*corev1.Node](c, r))
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, node *corev1.Node) (reconcile.Result, error) {
	if node.Spec.PodCIDR != "" {
		return reconcile.Result{}, nil
	}
	var nodes corev1.NodeList
	if err := r.client.List(ctx, &nodes); err != nil {
		return reconcile.Result{}, fmt.Errorf("listing nodes: %w", err)
	}
	free, ok := r.ranges.free(taken(nodes.Items))
	if !ok {
		r.recorder.Eventf(node, nil, corev1.EventTypeNormal, "CIDRNotAvailable", "Allocate", "Node %s status is now: CIDRNotAvailable", node.Name)
		return reconcile.Result{}, fmt.Errorf("allocating a range for node %s: all of %s are taken", node.Name, r.ranges.cluster)
	}
	changed := node.DeepCopy()
	changed.Spec.PodCIDR = free.String()
	changed.Spec.PodCIDRs = []string{free.String()}
	if err := r.client.Patch(ctx, changed, client.StrategicMergeFrom(node)); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("giving node %s the range %s: %w", node.Name, free, err)
	}
	return reconcile.Result{}, nil
}
