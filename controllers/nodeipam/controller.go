// Package nodeipam gives each Node a range of the cluster's Pod addresses.
package nodeipam

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

// Name is the controller's.
const Name = "node-ipam-controller"

// controller has one worker, to which its state belongs: what a range is taken by must be known before the next is chosen.
type controller struct {
	client   client.Client
	recorder events.EventRecorder
	ranges   *ranges
	// noted are the ranges that Nodes are known to have, nil until all were read once. waiting are Nodes for which there
	// was none: nothing but a range that has been freed is of use to them.
	noted   map[string][]netip.Prefix
	waiting map[string]bool
	freed   bool
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
	r := &controller{client: c, recorder: recorder, ranges: newRanges(cluster, reserved, bits), waiting: map[string]bool{}}
	return loop.New(mgr, Name, 1).For(&corev1.Node{}).Complete(loop.Contained(Name, r))
}

// Reconcile implements reconcile.Reconciler.
func (r *controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	if err := r.readAll(ctx); err != nil {
		return reconcile.Result{}, err
	}
	var node corev1.Node
	err := r.client.Get(ctx, request.NamespacedName, &node)
	switch {
	case client.IgnoreNotFound(err) != nil:
		return reconcile.Result{}, err
	case err != nil:
		delete(r.waiting, request.Name)
		r.note(request.Name, nil)
	case node.Spec.PodCIDR != "":
		delete(r.waiting, node.Name)
		r.note(node.Name, rangesOf(&node))
	case !r.waiting[node.Name]:
		r.note(node.Name, nil) // it may have taken the place of one of its name that had a range
		if err := r.allocate(ctx, &node); err != nil {
			return reconcile.Result{}, err
		}
	}
	return reconcile.Result{}, r.serve(ctx)
}

// readAll notes once what all Nodes have: none may be given what another has.
func (r *controller) readAll(ctx context.Context) error {
	if r.noted != nil {
		return nil
	}
	var nodes corev1.NodeList
	if err := r.client.List(ctx, &nodes); err != nil {
		return fmt.Errorf("listing nodes: %w", err)
	}
	r.noted = make(map[string][]netip.Prefix, len(nodes.Items))
	for i := range nodes.Items {
		r.takeFor(nodes.Items[i].Name, rangesOf(&nodes.Items[i]))
	}
	return nil
}

func (r *controller) takeFor(node string, has []netip.Prefix) {
	for _, prefix := range has {
		r.ranges.take(prefix)
	}
	if len(has) > 0 {
		r.noted[node] = has
	}
}

// note takes down what a Node has.
func (r *controller) note(node string, has []netip.Prefix) {
	had := r.noted[node]
	if slices.Equal(had, has) {
		return
	}
	delete(r.noted, node)
	for _, prefix := range had {
		r.ranges.release(prefix)
		r.freed = true
	}
	r.takeFor(node, has)
}

// serve gives what came free to Nodes that wait.
func (r *controller) serve(ctx context.Context) error {
	for name := range r.waiting {
		if !r.freed {
			return nil
		}
		var node corev1.Node
		err := r.client.Get(ctx, client.ObjectKey{Name: name}, &node)
		if err == nil {
			err = r.allocate(ctx, &node)
		}
		if client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	r.freed = false
	return nil
}

// allocate gives a Node without a range one, or has it wait.
func (r *controller) allocate(ctx context.Context, node *corev1.Node) error {
	if node.Spec.PodCIDR != "" {
		return nil // the event that tells of it comes
	}
	free, ok := r.ranges.free()
	if !ok {
		r.freed = false
		if !r.waiting[node.Name] {
			r.waiting[node.Name] = true
			r.recorder.Eventf(node, nil, corev1.EventTypeNormal, "CIDRNotAvailable", "Allocate",
				"Node %s status is now: CIDRNotAvailable: all ranges of %s are taken", node.Name, r.ranges.cluster)
		}
		return nil
	}
	changed := node.DeepCopy()
	changed.Spec.PodCIDR = free.String()
	changed.Spec.PodCIDRs = []string{free.String()}
	if err := r.client.Patch(ctx, changed, client.StrategicMergeFrom(node)); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("giving node %s the range %s: %w", node.Name, free, err))
	}
	delete(r.waiting, node.Name)
	r.takeFor(node.Name, []netip.Prefix{free})
	return nil
}
