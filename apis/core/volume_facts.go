package core

import corev1 "k8s.io/api/core/v1"

// LocalEphemeral says whether what is in a volume counts as the Pod's own on its node's disk: it is there and ends with the Pod.
// https://kubernetes.io/docs/concepts/storage/ephemeral-storage/
func LocalEphemeral(v *corev1.Volume) bool {
	return v.ConfigMap != nil || v.EmptyDir != nil && v.EmptyDir.Medium == corev1.StorageMediumDefault
}
