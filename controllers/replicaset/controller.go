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

type controller struct {
	client client.Client
	pods   podset.Control
	now    func() time.Time
}

// Register puts the controller on the manager. It wakes for ReplicaSets, and for Pods that one owns or might adopt.
// c's writes must be seen (package seen), owned's indexes be there.
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder) error {
	r := &controller{client: c, pods: podset.Control{Client: c, Recorder: recorder}, now: time.Now}
	return loop.New(mgr, Name, workers).
		For(&appsv1.ReplicaSet{}).
		Watches(&corev1.Pod{}, owned.Wake(kind.Kind, r.adopters)).
		Complete(reconcile.AsReconciler[*appsv1.ReplicaSet](c, r))
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
	observed, err := r.observe(ctx, rs)
	if err != nil {
		return reconcile.Result{}, err
	}
	now := r.now()
	plan := decide(rs, observed, now)
	failure := r.carryOut(ctx, rs, plan)
	status := statusOf(rs, observed, failure, now)
	if apiequality.Semantic.DeepEqual(status, rs.Status) {
		return reconcile.Result{RequeueAfter: plan.again}, failure
	}
	changed := rs.DeepCopy()
	changed.Status = status
	err = r.client.Status().Update(ctx, changed)
	return reconcile.Result{RequeueAfter: plan.again}, errors.Join(failure, client.IgnoreNotFound(err))
}

// observation is what there is of a ReplicaSet's Pods.
type observation struct {
	active      []*corev1.Pod
	terminating []*corev1.Pod
	// related are the Pods of all ReplicaSets with the same owner (one Deployment): what Pods on the same node means
	// when some are to go. Nil unless some are.
	related []*corev1.Pod
}

func (r *controller) observe(ctx context.Context, rs *appsv1.ReplicaSet) (observation, error) {
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
	seen.active, err = owned.Claim(ctx, r.client, rs, kind, selector, active)
	if err != nil {
		return observation{}, err
	}
	if len(seen.active) > int(ptr.Deref(rs.Spec.Replicas, 1)) {
		seen.related, err = r.related(ctx, rs)
	}
	return seen, err
}

// candidates are the Pods that rs controls, and those that nobody does.
func (r *controller) candidates(ctx context.Context, rs *appsv1.ReplicaSet) ([]*corev1.Pod, error) {
	var mine, orphans corev1.PodList
	err := errors.Join(owned.List(ctx, r.client, &mine, rs), owned.Orphans(ctx, r.client, &orphans, rs.Namespace))
	if err != nil {
		return nil, fmt.Errorf("listing pods of %s: %w", client.ObjectKeyFromObject(rs), err)
	}
	return append(podset.Pointers(mine.Items), podset.Pointers(orphans.Items)...), nil
}

func (r *controller) related(ctx context.Context, rs *appsv1.ReplicaSet) ([]*corev1.Pod, error) {
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
func (r *controller) carryOut(ctx context.Context, rs *appsv1.ReplicaSet, plan plan) error {
	_, err := podset.InBatches(plan.create, func() error {
		_, err := r.pods.Create(ctx, rs, podset.FromTemplate(&rs.Spec.Template, rs, kind))
		return err
	})
	if err != nil {
		return err
	}
	failures := podset.Together(len(plan.remove), func(i int) error { return r.pods.Delete(ctx, rs, plan.remove[i]) })
	if len(failures) > 0 {
		return failures[0]
	}
	return nil
}
