// Package disruption counts how many Pods each PodDisruptionBudget can spare.
package disruption

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/controllers/podset"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "disruption-controller"

	workers = 2
)

type controller struct {
	client   client.Client
	recorder events.EventRecorder
	now      func() time.Time
}

// Register puts the controller on the manager. It wakes for PodDisruptionBudgets and for Pods that one selects, and for
// Pods that were to be disrupted.
func Register(mgr manager.Manager, c client.Client, recorder events.EventRecorder) error {
	r := &controller{client: c, recorder: recorder, now: time.Now}
	return errors.Join(
		loop.New(mgr, Name, workers).
			For(&policyv1.PodDisruptionBudget{}).
			Watches(&corev1.Pod{}, loop.ToRequests(r.selecting)).
			Complete(loop.Contained(Name, reconcile.AsReconciler[*policyv1.PodDisruptionBudget](c, r))),
		registerStale(mgr, c),
	)
}

func (r *controller) selecting(ctx context.Context, pod client.Object) []reconcile.Request {
	var budgets policyv1.PodDisruptionBudgetList
	if err := r.client.List(ctx, &budgets, client.InNamespace(pod.GetNamespace())); err != nil {
		return nil
	}
	var requests []reconcile.Request
	for i := range budgets.Items {
		selector, err := metav1.LabelSelectorAsSelector(budgets.Items[i].Spec.Selector)
		if err == nil && selector.Matches(labels.Set(pod.GetLabels())) {
			requests = append(requests, loop.Request(pod.GetNamespace(), budgets.Items[i].Name))
		}
	}
	return requests
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *controller) Reconcile(ctx context.Context, b *policyv1.PodDisruptionBudget) (reconcile.Result, error) {
	pods, scale, err := r.observe(ctx, b)
	if err != nil {
		return reconcile.Result{}, errors.Join(err, r.failSafe(ctx, b, err))
	}
	status, overdue, again := decide(b, pods, scale, r.now())
	for _, pod := range overdue {
		r.recorder.Eventf(pod, b, corev1.EventTypeWarning, "NotDeleted", "Evict",
			"Pod was expected by PDB %s/%s to be deleted but it wasn't", b.Namespace, b.Name)
	}
	return reconcile.Result{RequeueAfter: again}, r.writeStatus(ctx, b, status)
}

func (r *controller) observe(ctx context.Context, b *policyv1.PodDisruptionBudget) (pods []*corev1.Pod, scale int32, err error) {
	selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
	if err != nil {
		return nil, 0, reconcile.TerminalError(fmt.Errorf("reading the selector of %s: %w", client.ObjectKeyFromObject(b), err))
	}
	var list corev1.PodList
	if err := r.client.List(ctx, &list, client.InNamespace(b.Namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, 0, fmt.Errorf("listing pods of %s: %w", client.ObjectKeyFromObject(b), err)
	}
	pods = podset.Pointers(list.Items)
	if len(pods) == 0 {
		r.recorder.Eventf(b, nil, corev1.EventTypeNormal, "NoPods", "Observe", "No matching pods found")
	}
	if !needsScale(b) {
		return pods, 0, nil
	}
	scale, unmanaged, err := r.scale(ctx, pods)
	if len(unmanaged) > 0 {
		r.recorder.Eventf(b, nil, corev1.EventTypeWarning, "UnmanagedPods", "Observe", "Pods selected by this PodDisruptionBudget "+
			"(selector: %s) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may "+
			"result in undefined behavior. To account for these pods please set \".spec.minAvailable\" field of the PDB to an integer value.",
			metav1.FormatLabelSelector(b.Spec.Selector))
	}
	if err != nil {
		r.recorder.Eventf(b, nil, corev1.EventTypeWarning, "CalculateExpectedPodCountFailed", "Observe",
			"Failed to calculate the number of expected pods: %v", err)
	}
	return pods, scale, err
}

// scale adds up how many Pods the different owners of the Pods want. unmanaged are Pods without one: they are in nobody's
// number.
func (r *controller) scale(ctx context.Context, pods []*corev1.Pod) (sum int32, unmanaged []string, err error) {
	asked, counted := map[types.UID]bool{}, map[types.UID]bool{}
	for _, pod := range pods {
		owner := metav1.GetControllerOfNoCopy(pod)
		if owner == nil {
			unmanaged = append(unmanaged, pod.Name)
			continue
		}
		if asked[owner.UID] {
			continue
		}
		asked[owner.UID] = true
		uid, replicas, err := r.wantedBy(ctx, pod.Namespace, owner)
		if err != nil {
			return 0, nil, fmt.Errorf("finding out how many pods %s %s wants: %w", owner.Kind, owner.Name, err)
		}
		if !counted[uid] {
			counted[uid] = true
			sum += replicas
		}
	}
	return sum, unmanaged, nil
}

// wantedBy returns who decides on the number of Pods, and the number: their owner, or the Deployment above it.
func (r *controller) wantedBy(ctx context.Context, namespace string, owner *metav1.OwnerReference) (types.UID, int32, error) {
	key := client.ObjectKey{Namespace: namespace, Name: owner.Name}
	switch owner.APIVersion + " " + owner.Kind {
	case "apps/v1 ReplicaSet":
		var set appsv1.ReplicaSet
		if err := r.client.Get(ctx, key, &set); err != nil {
			return "", 0, err
		}
		if above := metav1.GetControllerOfNoCopy(&set); above != nil && above.APIVersion == "apps/v1" && above.Kind == "Deployment" {
			return r.wantedBy(ctx, namespace, above)
		}
		return set.UID, ptr.Deref(set.Spec.Replicas, 1), nil
	case "apps/v1 Deployment":
		var d appsv1.Deployment
		err := r.client.Get(ctx, key, &d)
		return d.UID, ptr.Deref(d.Spec.Replicas, 1), err
	case "apps/v1 StatefulSet":
		var set appsv1.StatefulSet
		err := r.client.Get(ctx, key, &set)
		return set.UID, ptr.Deref(set.Spec.Replicas, 1), err
	}
	return r.scaleOf(ctx, key, owner)
}

// scaleOf asks the scale subresource that any kind may have.
func (r *controller) scaleOf(ctx context.Context, key client.ObjectKey, owner *metav1.OwnerReference) (types.UID, int32, error) {
	object, scale := &unstructured.Unstructured{}, &unstructured.Unstructured{}
	object.SetAPIVersion(owner.APIVersion)
	object.SetKind(owner.Kind)
	object.SetNamespace(key.Namespace)
	object.SetName(key.Name)
	scale.SetAPIVersion("autoscaling/v1")
	scale.SetKind("Scale")
	if err := r.client.SubResource("scale").Get(ctx, object, scale); err != nil {
		return "", 0, err
	}
	replicas, _, err := unstructured.NestedInt64(scale.Object, "spec", "replicas")
	return owner.UID, int32(replicas), err
}

// failSafe allows nothing as long as it is not known what is.
func (r *controller) failSafe(ctx context.Context, b *policyv1.PodDisruptionBudget, failure error) error {
	status := *b.Status.DeepCopy()
	status.DisruptionsAllowed = 0
	setAllowed(&status, b.Generation, policyv1.SyncFailedReason, failure.Error(), r.now())
	return r.writeStatus(ctx, b, status)
}

func (r *controller) writeStatus(ctx context.Context, b *policyv1.PodDisruptionBudget, status policyv1.PodDisruptionBudgetStatus) error {
	if apiequality.Semantic.DeepEqual(status, b.Status) {
		return nil
	}
	changed := b.DeepCopy()
	changed.Status = status
	return client.IgnoreNotFound(r.client.Status().Update(ctx, changed))
}
