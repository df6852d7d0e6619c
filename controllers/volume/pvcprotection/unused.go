package pvcprotection

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/coracle-k8s/coracle/apis/core"
)

// noteUse says on a bound claim since when no Pod refers to it, and reports whether it wrote. The cache may not know of a Pod yet that
// does: it wakes the controller when it does.
func (r *controller) noteUse(ctx context.Context, claim *corev1.PersistentVolumeClaim) (wrote bool, err error) {
	if claim.DeletionTimestamp != nil || claim.Status.Phase != corev1.ClaimBound {
		return false, nil
	}
	var pods corev1.PodList
	if err := r.client.List(ctx, &pods, client.InNamespace(claim.Namespace), client.MatchingFields{ByClaim: claim.Name}); err != nil {
		return false, fmt.Errorf("listing pods with claim %s: %w", client.ObjectKeyFromObject(claim), err)
	}
	used := slices.ContainsFunc(pods.Items, func(pod corev1.Pod) bool { return !core.PodTerminal(&pod) })
	conditions, changed := withUse(claim.Status.Conditions, used, metav1.NewTime(r.now()))
	if !changed {
		return false, nil
	}
	noted := claim.DeepCopy()
	noted.Status.Conditions = conditions
	if err := r.client.Status().Update(ctx, noted); client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("noting the use of claim %s: %w", client.ObjectKeyFromObject(claim), err)
	}
	return true, nil
}

func withUse(all []corev1.PersistentVolumeClaimCondition, used bool, now metav1.Time) (conditions []corev1.PersistentVolumeClaimCondition, changed bool) {
	wanted := corev1.PersistentVolumeClaimCondition{
		Type: corev1.PersistentVolumeClaimUnused, Status: corev1.ConditionTrue, LastTransitionTime: now,
		Reason: "NoPodsUsingPVC", Message: "No pods are currently referencing this PVC",
	}
	if used {
		wanted.Status, wanted.Reason, wanted.Message = corev1.ConditionFalse, "PodUsingPVC", "A pod is currently referencing this PVC"
	}
	conditions = slices.Clone(all)
	for i := range conditions {
		if conditions[i].Type == wanted.Type {
			changed = conditions[i].Status != wanted.Status
			conditions[i] = wanted
			return conditions, changed
		}
	}
	return append(conditions, wanted), true
}
