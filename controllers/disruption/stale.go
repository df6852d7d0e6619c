package disruption

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/controllers/loop"
)

// staleAfter is how long a Pod that was said to be a disruption's target may live on before that is taken back.
const staleAfter = 2 * time.Minute

// stale takes DisruptionTarget back from Pods that nobody deleted after all: or else, the next failure of their own would
// pass for a disruption.
type stale struct {
	client client.Client
	now    func() time.Time
}

func registerStale(mgr manager.Manager, c client.Client) error {
	r := &stale{client: c, now: time.Now}
	return loop.New(mgr, Name+"-stale", 1).
		For(&corev1.Pod{}, loop.Only(loop.Where(isTarget))).
		Complete(loop.Contained(Name+"-stale", reconcile.AsReconciler[*corev1.Pod](c, r)))
}

// isTarget reports whether the Pod is a disruption's target, and has not ended yet. Of those that the kubelet marks, it sees
// to the end itself, however long that takes.
func isTarget(pod *corev1.Pod) bool {
	c := core.PodCondition(pod, corev1.DisruptionTarget)
	return c != nil && c.Status == corev1.ConditionTrue && c.Reason != corev1.PodReasonTerminationByKubelet &&
		pod.DeletionTimestamp == nil && !core.PodTerminal(pod)
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *stale) Reconcile(ctx context.Context, pod *corev1.Pod) (reconcile.Result, error) {
	if !isTarget(pod) {
		return reconcile.Result{}, nil
	}
	now := r.now()
	if left := core.PodCondition(pod, corev1.DisruptionTarget).LastTransitionTime.Add(staleAfter).Sub(now); left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	changed := pod.DeepCopy()
	i := slices.IndexFunc(changed.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.DisruptionTarget })
	changed.Status.Conditions[i] = corev1.PodCondition{
		Type: corev1.DisruptionTarget, Status: corev1.ConditionFalse, ObservedGeneration: pod.Generation, LastTransitionTime: metav1.NewTime(now),
	}
	if err := r.client.Status().Update(ctx, changed); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("taking back the disruption of pod %s: %w", client.ObjectKeyFromObject(pod), err)
	}
	return reconcile.Result{}, nil
}
