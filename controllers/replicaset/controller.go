// Package replicaset keeps as many Pods as each ReplicaSet asks for.
package replicaset

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/controllers/owned"
	"github.com/coracle-k8s/coracle/controllers/podset"
)

// Name is the controller's, and that of its service account in kube-system.
const Name = "replicaset-controller"

const workers = 5

var kind = appsv1.SchemeGroupVersion.WithKind("ReplicaSet")

// Keeper makes the number of a set's Pods right. It also does so for the older kind that means the same.
type Keeper struct {
	client client.Client
	kind   schema.GroupVersionKind
	pods   podset.Control
	now    func() time.Time
}

// NewKeeper returns a Keeper for sets of the given kind, on which it records Events. c's writes must be seen (package
// seen), owned's indexes be there.
func NewKeeper(c client.Client, recorder events.EventRecorder, kind schema.GroupVersionKind) *Keeper {
	return &Keeper{client: c, kind: kind, pods: podset.Control{Client: c, Recorder: recorder}, now: time.Now}
}

type controller struct {
	client client.Client
	keeper *Keeper
}

// Register puts the controller on the manager. It wakes for ReplicaSets, and for Pods that one owns or might adopt.
// c's writes must be seen (package seen), owned's indexes be there.
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder) error {
	r := &controller{client: c, keeper: NewKeeper(c, recorder, kind)}
	return loop.New(mgr, Name, workers).
		For(&appsv1.ReplicaSet{}).
		Watches(&corev1.Pod{}, owned.Wake(kind.Kind, r.adopters)).
		Complete(loop.Contained(Name, reconcile.AsReconciler[*appsv1.ReplicaSet](c, r)))
}

func (r *controller) adopters(ctx context.Context, pod client.Object) []reconcile.Request {
	var sets appsv1.ReplicaSetList
	if err := r.client.List(ctx, &sets, client.InNamespace(pod.GetNamespace())); err != nil {
		return nil
	}
	return owned.Selecting(sets.Items, pod, func(rs *appsv1.ReplicaSet) *metav1.LabelSelector { return rs.Spec.Selector })
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, rs *appsv1.ReplicaSet) (reconcile.Result, error) {
	status, again, err := r.keeper.Keep(ctx, rs, rs)
	if status == nil || apiequality.Semantic.DeepEqual(*status, rs.Status) {
		return reconcile.Result{RequeueAfter: again}, err
	}
	changed := rs.DeepCopy()
	changed.Status = *status
	return reconcile.Result{RequeueAfter: again}, errors.Join(err, client.IgnoreNotFound(r.client.Status().Update(ctx, changed)))
}

// Keep creates or deletes Pods of rs once, and returns the status that it has then and when to look again. owner is the
// object that rs stands for, of the Keeper's kind: it owns the Pods and gets the Events. The status is nil if the Pods
// could not be observed.
func (r *Keeper) Keep(ctx context.Context, rs *appsv1.ReplicaSet, owner client.Object) (*appsv1.ReplicaSetStatus, time.Duration, error) {
	observed, err := r.observe(ctx, rs)
	if err != nil {
		return nil, 0, err
	}
	now := r.now()
	plan := decide(rs, observed, now)
	failure := r.carryOut(ctx, rs, owner, plan)
	status := statusOf(rs, observed, failure, now)
	return &status, plan.again, failure
}

// observation is what there is of a ReplicaSet's Pods.
type observation struct {
	active      []*corev1.Pod
	terminating []*corev1.Pod
	// related are the Pods of all ReplicaSets with the same owner (one Deployment): what Pods on the same node means
	// when some are to go. Nil unless some are.
	related []*corev1.Pod
}

func (r *Keeper) observe(ctx context.Context, rs *appsv1.ReplicaSet) (observation, error) {
	selector, err := metav1.LabelSelectorAsSelector(rs.Spec.Selector)
	if err != nil {
		return observation{}, reconcile.TerminalError(fmt.Errorf("reading the selector of %s: %w", client.ObjectKeyFromObject(rs), err))
	}
	candidates, err := r.candidates(ctx, rs)
	if err != nil {
		return observation{}, err
	}
	var seen observation
	var active []*corev1.Pod
	for _, pod := range candidates {
		switch {
		case isActive(pod):
			active = append(active, pod)
		case isTerminating(pod) && metav1.IsControlledBy(pod, rs) && selector.Matches(labels.Set(pod.Labels)):
			seen.terminating = append(seen.terminating, pod)
		}
	}
	seen.active, err = owned.Claim(ctx, r.client, rs, r.kind, selector, active)
	if err != nil {
		return observation{}, err
	}
	if len(seen.active) > int(ptr.Deref(rs.Spec.Replicas, 1)) {
		seen.related, err = r.related(ctx, rs)
	}
	return seen, err
}

// candidates are the Pods that rs controls, and those that nobody does.
func (r *Keeper) candidates(ctx context.Context, rs *appsv1.ReplicaSet) ([]*corev1.Pod, error) {
	var mine, orphans corev1.PodList
	err := errors.Join(owned.List(ctx, r.client, &mine, rs), owned.Orphans(ctx, r.client, &orphans, rs.Namespace))
	if err != nil {
		return nil, fmt.Errorf("listing pods of %s: %w", client.ObjectKeyFromObject(rs), err)
	}
	return append(podset.Pointers(mine.Items), podset.Pointers(orphans.Items)...), nil
}

func (r *Keeper) related(ctx context.Context, rs *appsv1.ReplicaSet) ([]*corev1.Pod, error) {
	siblings := []appsv1.ReplicaSet{*rs}
	if owner := metav1.GetControllerOfNoCopy(rs); owner != nil {
		var list appsv1.ReplicaSetList
		parent := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: rs.Namespace, UID: owner.UID}}
		if err := owned.List(ctx, r.client, &list, parent); err != nil {
			return nil, fmt.Errorf("listing replica sets beside %s: %w", client.ObjectKeyFromObject(rs), err)
		}
		siblings = list.Items
	}
	var related []*corev1.Pod
	for i := range siblings {
		var pods corev1.PodList
		if err := owned.List(ctx, r.client, &pods, &siblings[i]); err != nil {
			return nil, fmt.Errorf("listing pods of %s: %w", client.ObjectKeyFromObject(&siblings[i]), err)
		}
		related = append(related, podset.Pointers(pods.Items)...)
	}
	return related, nil
}

// carryOut returns the first failure, in the words that go into the ReplicaFailure condition.
func (r *Keeper) carryOut(ctx context.Context, rs *appsv1.ReplicaSet, owner client.Object, plan plan) error {
	_, err := podset.InBatches(plan.create, func() error {
		_, err := r.pods.Create(ctx, owner, podset.FromTemplate(&rs.Spec.Template, rs, r.kind))
		return err
	})
	if err != nil {
		return err
	}
	failures := podset.Together(len(plan.remove), func(i int) error { return r.pods.Delete(ctx, owner, plan.remove[i]) })
	if len(failures) > 0 {
		return failures[0]
	}
	return nil
}
