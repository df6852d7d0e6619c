// Package tainteviction deletes Pods that do not tolerate a NoExecute taint of their Node, or not for longer.
package tainteviction

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/controllers/podset"
)

// Name is the controller's. It writes as the service account of the controllers of Nodes.
const Name = "taint-eviction-controller"

const workers = 8

type controller struct {
	client   client.Client
	pods     podset.Control
	recorder events.EventRecorder
	now      func() time.Time
	// sentences are not kept over a restart: a cluster that was down must not lose its Pods for that.
	sentences sentences
}

// Register puts the controller on the manager. It wakes for Pods that are bound or change their tolerations, and for
// all Pods of a Node whose NoExecute taints change. podset's indexes must be there.
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder) error {
	r := &controller{
		client: c, pods: podset.Control{Client: c, Recorder: recorder}, recorder: recorder, now: time.Now,
	}
	return loop.New(mgr, Name, workers).
		For(&corev1.Pod{}, loop.Only(loop.Changed(concerns))).
		Watches(&corev1.Node{}, loop.ToRequests(r.podsOf), loop.Only(loop.Changed(taintsChanged))).
		Complete(loop.Contained(Name, r))
}

func concerns(old, now *corev1.Pod) bool {
	return old.Spec.NodeName != now.Spec.NodeName || !apiequality.Semantic.DeepEqual(old.Spec.Tolerations, now.Spec.Tolerations)
}

func taintsChanged(old, now *corev1.Node) bool {
	return !apiequality.Semantic.DeepEqual(driving(old.Spec.Taints), driving(now.Spec.Taints))
}

func (r *controller) podsOf(ctx context.Context, node client.Object) []reconcile.Request {
	pods, err := podset.OnNode(ctx, r.client, node.GetName())
	if err != nil {
		return nil
	}
	var requests []reconcile.Request
	for _, pod := range pods {
		requests = append(requests, loop.Request(pod.Namespace, pod.Name))
	}
	return requests
}

// Reconcile implements reconcile.Reconciler.
func (r *controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	var pod corev1.Pod
	if err := r.client.Get(ctx, request.NamespacedName, &pod); err != nil {
		if apierrors.IsNotFound(err) {
			r.sentences.lift(request.NamespacedName)
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if pod.Spec.NodeName == "" || pod.DeletionTimestamp != nil {
		r.sentences.lift(request.NamespacedName)
		return reconcile.Result{}, nil
	}
	var node corev1.Node
	if err := r.client.Get(ctx, client.ObjectKey{Name: pod.Spec.NodeName}, &node); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	patience := decide(node.Spec.Taints, pod.Spec.Tolerations)
	if patience < 0 {
		if r.sentences.lift(request.NamespacedName) {
			r.tell(&pod, "Cancelling deletion of Pod %s/%s", pod.Namespace, pod.Name)
		}
		return reconcile.Result{}, nil
	}
	if patience > 0 {
		now := r.now()
		if left := r.sentences.pass(&pod, patience, now).Sub(now); left > 0 {
			return reconcile.Result{RequeueAfter: left}, nil
		}
	}
	return reconcile.Result{}, r.evict(ctx, &pod)
}

func (r *controller) tell(pod *corev1.Pod, note string, args ...any) {
	r.recorder.Eventf(pod, nil, corev1.EventTypeNormal, "TaintManagerEviction", "Evict", note, args...)
}

func (r *controller) evict(ctx context.Context, pod *corev1.Pod) error {
	r.tell(pod, "Marking for deletion Pod %s/%s", pod.Namespace, pod.Name)
	marked, err := r.pods.MarkDisrupted(ctx, pod, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint", r.now())
	if err == nil {
		if err = r.client.Delete(ctx, marked, client.Preconditions{UID: &pod.UID}); apierrors.IsConflict(err) {
			err = nil // another Pod has the name
		}
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("evicting pod %s from node %s: %w", client.ObjectKeyFromObject(pod), pod.Spec.NodeName, err)
	}
	r.sentences.lift(client.ObjectKeyFromObject(pod))
	return nil
}
