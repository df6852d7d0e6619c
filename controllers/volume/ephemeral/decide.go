package ephemeral

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/storage/ephemeral"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

// claimOf returns the claim that an ephemeral volume asks for.
func claimOf(pod *corev1.Pod, volume *corev1.Volume) *corev1.PersistentVolumeClaim {
	template := volume.Ephemeral.VolumeClaimTemplate.DeepCopy()
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: ephemeral.VolumeClaimName(pod, volume),
			Labels: template.Labels, Annotations: template.Annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(pod, corev1.SchemeGroupVersion.WithKind("Pod"))},
		},
		Spec: template.Spec,
	}
}

// podsOf are the Pods that a claim may have been in the place of, or in the way of: its name is that of the Pod and the
// volume's, and there are hyphens in both.
func podsOf(_ context.Context, claim client.Object) []reconcile.Request {
	var requests []reconcile.Request
	name := claim.GetName()
	for i := range name {
		if name[i] == '-' && i > 0 {
			requests = append(requests, loop.Request(claim.GetNamespace(), strings.Clone(name[:i])))
		}
	}
	return requests
}
