// Package podgc removes Pods that nobody else will: those of deleted Nodes, those deleted before they had a Node or on
// one that is out of service, and the oldest finished ones when there are very many.
package podgc

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/controllers/podset"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "pod-garbage-collector"

	workers = 2
	// quarantine is how long a Node must be missing before its Pods are removed.
	quarantine = 40 * time.Second
	// maxFinished is how many finished Pods are kept.
	maxFinished = 12500
	// gathering is how long finished Pods are waited for before they are counted.
	gathering = 20 * time.Second
)

// A request names a Pod, or with an empty namespace a Node, or with no name at all the finished Pods of the cluster.

type controller struct {
	client  client.Client
	pods    podset.Control
	now     func() time.Time
	missing *missing
}

// Register puts the controller on the manager. It wakes for Pods that are deleted, bound or finished, and for Nodes
// that are deleted or taken out of service. podset's indexes must be there.
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder) error {
	r := &controller{client: c, pods: podset.Control{Client: c, Recorder: recorder}, now: time.Now, missing: newMissing()}
	return loop.New(mgr, Name, workers).
		Watches(&corev1.Pod{}, loop.ToRequests(onPod), loop.Only(loop.Changed(concerns))).
		Watches(&corev1.Node{}, loop.ToRequests(r.onNode), loop.Only(loop.Changed(outOfServiceChanged))).
		Complete(loop.Contained(Name, r))
}

func concerns(old, now *corev1.Pod) bool {
	return old.Spec.NodeName != now.Spec.NodeName || core.PodTerminal(old) != core.PodTerminal(now) ||
		(old.DeletionTimestamp == nil) != (now.DeletionTimestamp == nil)
}

func onPod(_ context.Context, o client.Object) []reconcile.Request {
	pod := o.(*corev1.Pod)
	var requests []reconcile.Request
	if pod.DeletionTimestamp != nil {
		requests = append(requests, loop.Request(pod.Namespace, pod.Name))
	}
	if pod.Spec.NodeName != "" {
		requests = append(requests, loop.Request("", pod.Spec.NodeName))
	}
	if core.PodTerminal(pod) {
		requests = append(requests, loop.Request("", ""))
	}
	return requests
}

func outOfServiceChanged(old, now *corev1.Node) bool { return outOfService(old) != outOfService(now) }

// outOfService reports whether a Node was given up by its administrator: what runs there can be forgotten.
func outOfService(node *corev1.Node) bool {
	if core.NodeReady(node) {
		return false
	}
	for _, taint := range node.Spec.Taints {
		if taint.Key == corev1.TaintNodeOutOfService {
			return true
		}
	}
	return false
}

func (r *controller) onNode(ctx context.Context, o client.Object) []reconcile.Request {
	node := o.(*corev1.Node)
	requests := []reconcile.Request{loop.Request("", node.Name)}
	if !outOfService(node) {
		return requests
	}
	pods, err := podset.OnNode(ctx, r.client, node.Name)
	if err != nil {
		return requests
	}
	for _, pod := range pods {
		if pod.DeletionTimestamp != nil {
			requests = append(requests, loop.Request(pod.Namespace, pod.Name))
		}
	}
	return requests
}

// Reconcile implements reconcile.Reconciler.
func (r *controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	switch {
	case request.Namespace != "":
		return reconcile.Result{}, r.finishDeletion(ctx, request.NamespacedName)
	case request.Name != "":
		return r.collectNode(ctx, request.Name)
	}
	return r.collectFinished(ctx)
}

// finishDeletion removes a Pod that is being deleted where no kubelet will.
func (r *controller) finishDeletion(ctx context.Context, key client.ObjectKey) error {
	var pod corev1.Pod
	if err := r.client.Get(ctx, key, &pod); err != nil {
		return client.IgnoreNotFound(err)
	}
	if pod.DeletionTimestamp == nil {
		return nil
	}
	if pod.Spec.NodeName != "" {
		var node corev1.Node
		if err := r.client.Get(ctx, client.ObjectKey{Name: pod.Spec.NodeName}, &node); err != nil {
			return client.IgnoreNotFound(err)
		}
		if !outOfService(&node) {
			return nil
		}
	}
	return r.remove(ctx, &pod, "", "")
}

// collectNode removes the Pods of a Node that has been missing for long enough.
func (r *controller) collectNode(ctx context.Context, name string) (reconcile.Result, error) {
	var node corev1.Node
	err := r.client.Get(ctx, client.ObjectKey{Name: name}, &node)
	if err == nil || !apierrors.IsNotFound(err) {
		r.missing.found(name)
		return reconcile.Result{}, err
	}
	pods, err := podset.OnNode(ctx, r.client, name)
	if err != nil || len(pods) == 0 {
		r.missing.found(name)
		return reconcile.Result{}, err
	}
	if left := r.missing.since(name, r.now()).Add(quarantine).Sub(r.now()); left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	if exists, err := r.exists(ctx, name); exists || err != nil {
		return reconcile.Result{}, err
	}
	for _, pod := range pods {
		if err := r.remove(ctx, pod, "DeletionByPodGC", "PodGC: node no longer exists"); err != nil {
			return reconcile.Result{}, err
		}
	}
	return reconcile.Result{}, nil
}

// exists asks the server itself: unstructured reads are not served from the cache.
func (r *controller) exists(ctx context.Context, name string) (bool, error) {
	node := &unstructured.Unstructured{}
	node.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Node"))
	err := r.client.Get(ctx, client.ObjectKey{Name: name}, node)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return true, err
}

func (r *controller) remove(ctx context.Context, pod *corev1.Pod, reason, message string) error {
	if !core.PodTerminal(pod) {
		if _, err := r.pods.Fail(ctx, pod, reason, message, r.now()); err != nil {
			return client.IgnoreNotFound(err)
		}
	}
	err := r.client.Delete(ctx, pod, client.GracePeriodSeconds(0), client.Preconditions{UID: &pod.UID})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("removing pod %s: %w", client.ObjectKeyFromObject(pod), err)
	}
	return nil
}
