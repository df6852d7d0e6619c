// Package nodelifecycle notices Nodes that are silent, and taints Nodes by their conditions.
package nodelifecycle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/component-helpers/node/topology"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/controllers/podset"
)

const (
	// Name is the controller's.
	Name = "node-lifecycle-controller"
	// Account is the service account in kube-system as which it writes; controllers of Nodes share it.
	Account = "node-controller"

	workers = 4

	defaultGrace        = 50 * time.Second
	defaultStartupGrace = 60 * time.Second
	// conflictRetry is when a write is tried again that another one came before.
	conflictRetry = 100 * time.Millisecond
)

type controller struct {
	client              client.Client
	recorder            events.EventRecorder
	grace, startupGrace time.Duration
	now                 func() time.Time
	register            *register
	brake               brake
}

// Register puts the controller on the manager. It wakes for Nodes, for their Leases, and when a Node's time is over. A
// grace of zero means the default: 50 seconds, and 60 for a Node that has not reported yet.
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder, grace, startupGrace time.Duration) error {
	if grace == 0 {
		grace = defaultGrace
	}
	if startupGrace == 0 {
		startupGrace = defaultStartupGrace
	}
	r := &controller{
		client: c, recorder: recorder, grace: grace, startupGrace: startupGrace, now: time.Now,
		register: newRegister(),
	}
	return loop.New(mgr, Name, workers).
		For(&corev1.Node{}).
		Watches(&corev1.Node{}, loop.ToRequests(r.others), loop.Only(loop.Changed(weightChanged), notCreations())).
		Watches(&coordinationv1.Lease{}, loop.ToRequests(r.onLease)).
		Complete(loop.Contained(Name, r))
}

// weightChanged: the Node counts otherwise than before among those of its zone.
func weightChanged(old, now *corev1.Node) bool {
	return core.NodeReady(old) != core.NodeReady(now) || counts(old) != counts(now) || topology.GetZoneKey(old) != topology.GetZoneKey(now)
}

// notCreations: a Node that has just come is not ready. It takes nobody's part.
func notCreations() predicate.Predicate {
	return predicate.Funcs{CreateFunc: func(event.CreateEvent) bool { return false }}
}

// others are the Nodes that are not ready: whether Pods may be driven off them depends on how many are.
func (r *controller) others(ctx context.Context, _ client.Object) []reconcile.Request {
	var nodes corev1.NodeList
	if err := r.client.List(ctx, &nodes); err != nil {
		return nil
	}
	var requests []reconcile.Request
	for i := range nodes.Items {
		if !core.NodeReady(&nodes.Items[i]) {
			requests = append(requests, loop.Request("", nodes.Items[i].Name))
		}
	}
	return requests
}

// onLease takes note of a renewal. That needs no reconciliation: the one that is due will find it.
func (r *controller) onLease(ctx context.Context, o client.Object) []reconcile.Request {
	lease := o.(*coordinationv1.Lease)
	var node corev1.Node
	if lease.Namespace != corev1.NamespaceNodeLease || r.client.Get(ctx, client.ObjectKey{Name: lease.Name}, &node) != nil {
		return nil
	}
	r.register.look(&node, lease, r.now())
	return nil
}

// Reconcile implements reconcile.Reconciler.
func (r *controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	var node corev1.Node
	if err := r.client.Get(ctx, request.NamespacedName, &node); err != nil {
		if uid, known := r.register.forget(request.Name); known && apierrors.IsNotFound(err) {
			gone := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: request.Name, UID: uid}}
			r.tell(gone, "RemovingNode", "Node %s event: Removing Node %s from Controller", request.Name, request.Name)
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	now := r.now()
	s, err := r.look(ctx, &node, now)
	if err != nil {
		return reconcile.Result{}, err
	}
	tooLong, again := silence(&node, s, r.grace, r.startupGrace, now)
	current := node.DeepCopy()
	later, err := r.write(ctx, current, tooLong, now)
	if errors.Is(err, errBehind) {
		return reconcile.Result{RequeueAfter: behindRetry}, nil
	}
	if apierrors.IsConflict(err) { // the kubelet or somebody else wrote the Node meanwhile
		return reconcile.Result{RequeueAfter: conflictRetry}, nil
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	if later > 0 && (again == 0 || later < again) {
		again = later
	}
	return reconcile.Result{RequeueAfter: again}, nil
}

// write writes down what has become of the Node. It returns when to try again what must not be done yet.
func (r *controller) write(ctx context.Context, node *corev1.Node, tooLong bool, now time.Time) (time.Duration, error) {
	if tooLong {
		if err := r.silence(ctx, node, now); err != nil {
			return 0, err
		}
	}
	later, err := r.writeTaints(ctx, node, now)
	return later, errors.Join(err, r.markPods(ctx, node))
}

func (r *controller) look(ctx context.Context, node *corev1.Node, now time.Time) (signs, error) {
	var lease *coordinationv1.Lease
	var found coordinationv1.Lease
	switch err := r.client.Get(ctx, client.ObjectKey{Namespace: corev1.NamespaceNodeLease, Name: node.Name}, &found); {
	case err == nil:
		lease = &found
	case !apierrors.IsNotFound(err):
		return signs{}, fmt.Errorf("reading the lease of node %s: %w", node.Name, err)
	}
	s, first := r.register.look(node, lease, now)
	if first {
		r.tell(node, "RegisteredNode", "Node %s event: Registered Node %s in Controller", node.Name, node.Name)
		// It may have been lost just before this process ended, and its Pods not told.
		r.register.mark(node.Name, lost(node))
	}
	return s, nil
}

// silence writes down that nobody vouches for the Node's conditions any more.
func (r *controller) silence(ctx context.Context, node *corev1.Node, now time.Time) error {
	wasReady := core.NodeReady(node)
	conditions := silenced(node, now)
	if sameConditions(conditions, node.Status.Conditions) {
		return nil
	}
	if err := r.upToDate(ctx, node.Name); err != nil {
		return err
	}
	node.Status.Conditions = conditions
	if err := r.client.Status().Update(ctx, node); err != nil {
		return fmt.Errorf("writing the status of node %s: %w", node.Name, err)
	}
	if wasReady {
		r.register.mark(node.Name, true)
		r.tell(node, "NodeNotReady", "Node %s status is now: NodeNotReady", node.Name)
	}
	return nil
}

func (r *controller) tell(node *corev1.Node, reason, note string, args ...any) {
	r.recorder.Eventf(node, nil, corev1.EventTypeNormal, reason, "Monitor", note, args...)
}

// writeTaints brings taints and labels in line with the conditions. It returns when to try again what must not be done
// yet.
func (r *controller) writeTaints(ctx context.Context, node *corev1.Node, now time.Time) (time.Duration, error) {
	allow, later, err := r.mayEvict(ctx, node, now)
	if err != nil {
		return 0, err
	}
	changed := node.DeepCopy()
	changed.Spec.Taints = wantedTaints(node, allow, now)
	changed.Labels = wantedLabels(node.Labels)
	if apiequality.Semantic.DeepEqual(changed.Spec.Taints, node.Spec.Taints) && maps.Equal(changed.Labels, node.Labels) {
		return later, nil
	}
	patch := client.MergeFromWithOptions(node, client.MergeFromWithOptimisticLock{})
	if err := r.client.Patch(ctx, changed, patch); client.IgnoreNotFound(err) != nil {
		return later, fmt.Errorf("tainting node %s: %w", node.Name, err)
	}
	return later, nil
}

// mayEvict decides whether Pods may be driven off the Node now, or else when to ask again.
func (r *controller) mayEvict(ctx context.Context, node *corev1.Node, now time.Time) (eviction, time.Duration, error) {
	switch ready := core.NodeCondition(&node.Status, corev1.NodeReady); {
	case ready == nil:
		return calm, 0, nil
	case ready.Status == corev1.ConditionTrue:
		if r.brake.release() { // it was us who did not hear the others: they get their time again
			r.register.reset(now)
		}
		return calm, 0, nil
	}
	var nodes corev1.NodeList
	if err := r.client.List(ctx, &nodes); err != nil {
		return hold, 0, fmt.Errorf("listing nodes: %w", err)
	}
	allow, later := r.brake.judge(node, nodes.Items, now)
	return allow, later, nil
}

// markPods makes the Pods of a lost Node unready, so that no Service sends to them.
func (r *controller) markPods(ctx context.Context, node *corev1.Node) error {
	if !r.register.unmarked(node.Name) {
		return nil
	}
	if core.NodeReady(node) {
		r.register.mark(node.Name, false)
		return nil
	}
	pods, err := podset.OnNode(ctx, r.client, node.Name)
	if err != nil {
		return err
	}
	var errs []error
	for _, pod := range pods {
		errs = append(errs, r.markPod(ctx, pod))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	r.register.mark(node.Name, false)
	return nil
}

func (r *controller) markPod(ctx context.Context, pod *corev1.Pod) error {
	if !core.PodReady(pod) {
		return nil
	}
	changed := pod.DeepCopy()
	ready := core.PodCondition(changed, corev1.PodReady)
	ready.Status, ready.LastTransitionTime = corev1.ConditionFalse, metav1.NewTime(r.now())
	if err := r.client.Status().Patch(ctx, changed, client.StrategicMergeFrom(pod)); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("marking pod %s not ready: %w", client.ObjectKeyFromObject(pod), err)
	}
	r.recorder.Eventf(pod, nil, corev1.EventTypeWarning, "NodeNotReady", "Monitor", "Node is not ready")
	return nil
}
