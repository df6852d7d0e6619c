package persistentvolume

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
)

// phaseOf is the volume's phase, given the claim that it refers to, or nil if that is gone.
func phaseOf(v *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) corev1.PersistentVolumePhase {
	ref := v.Spec.ClaimRef
	switch {
	case ref == nil || ref.UID == "":
		return corev1.VolumeAvailable
	case claim == nil || claim.UID != ref.UID:
		if v.Status.Phase == corev1.VolumeFailed {
			return corev1.VolumeFailed
		}
		return corev1.VolumeReleased
	case claim.Spec.VolumeName == v.Name:
		return corev1.VolumeBound
	case claim.Spec.VolumeName == "":
		// The claim is about to be bound to it.
		return cmp.Or(v.Status.Phase, corev1.VolumeAvailable)
	}
	return corev1.VolumeReleased
}
