// Package replication keeps as many Pods as each ReplicationController asks for: it is the older form of a ReplicaSet.
package replication

import (
	"context"
	"errors"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/controllers/owned"
	"github.com/coracle-k8s/coracle/controllers/replicaset"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "replication-controller"

	workers = 5
)

var kind = corev1.SchemeGroupVersion.WithKind("ReplicationController")

type controller struct {
	client client.Client
	keeper *replicaset.Keeper
}

// Register puts the controller on the manager. It wakes for ReplicationControllers, and for Pods that one owns or might
// adopt. c's writes must be seen (package seen), owned's indexes be there.
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder) error {
	r := &controller{client: c, keeper: replicaset.NewKeeper(c, recorder, kind)}
	return loop.New(mgr, Name, workers).
		For(&corev1.ReplicationController{}).
		Watches(&corev1.Pod{}, owned.Wake(kind.Kind, r.adopters)).
		Complete(loop.Contained(Name, reconcile.AsReconciler[*corev1.ReplicationController](c, r)))
}

func (r *controller) adopters(ctx context.Context, pod client.Object) []reconcile.Request {
	var all corev1.ReplicationControllerList
	if err := r.client.List(ctx, &all, client.InNamespace(pod.GetNamespace())); err != nil {
		return nil
	}
	return owned.Selecting(all.Items, pod, func(rc *corev1.ReplicationController) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: rc.Spec.Selector}
	})
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, rc *corev1.ReplicationController) (reconcile.Result, error) {
	set := setOf(rc)
	status, again, err := r.keeper.Keep(ctx, set, rc)
	if status == nil {
		return reconcile.Result{RequeueAfter: again}, err
	}
	changed := rc.DeepCopy()
	changed.Status = statusOf(status)
	if apiequality.Semantic.DeepEqual(changed.Status, rc.Status) {
		return reconcile.Result{RequeueAfter: again}, err
	}
	return reconcile.Result{RequeueAfter: again}, errors.Join(err, client.IgnoreNotFound(r.client.Status().Update(ctx, changed)))
}

// setOf is the ReplicaSet that means the same.
func setOf(rc *corev1.ReplicationController) *appsv1.ReplicaSet {
	set := &appsv1.ReplicaSet{
		ObjectMeta: *rc.ObjectMeta.DeepCopy(),
		Spec: appsv1.ReplicaSetSpec{
			Replicas: ptr.To(ptr.Deref(rc.Spec.Replicas, 1)), MinReadySeconds: rc.Spec.MinReadySeconds,
			Selector: &metav1.LabelSelector{MatchLabels: rc.Spec.Selector},
		},
		Status: appsv1.ReplicaSetStatus{ObservedGeneration: rc.Status.ObservedGeneration},
	}
	if rc.Spec.Template != nil {
		set.Spec.Template = *rc.Spec.Template.DeepCopy()
	}
	for _, c := range rc.Status.Conditions {
		set.Status.Conditions = append(set.Status.Conditions, appsv1.ReplicaSetCondition{
			Type: appsv1.ReplicaSetConditionType(c.Type), Status: c.Status, Reason: c.Reason, Message: c.Message, LastTransitionTime: c.LastTransitionTime,
		})
	}
	return set
}

func statusOf(s *appsv1.ReplicaSetStatus) corev1.ReplicationControllerStatus {
	status := corev1.ReplicationControllerStatus{
		Replicas: s.Replicas, FullyLabeledReplicas: s.FullyLabeledReplicas, ReadyReplicas: s.ReadyReplicas,
		AvailableReplicas: s.AvailableReplicas, ObservedGeneration: s.ObservedGeneration,
	}
	for _, c := range s.Conditions {
		status.Conditions = append(status.Conditions, corev1.ReplicationControllerCondition{
			Type: corev1.ReplicationControllerConditionType(c.Type), Status: c.Status, Reason: c.Reason, Message: c.Message, LastTransitionTime: c.LastTransitionTime,
		})
	}
	return status
}
