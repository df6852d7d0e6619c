package persistentvolume

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/component-helpers/storage/volume"
	"k8s.io/utils/ptr"
)

// choose returns the volume that a claim is to be bound to: the one that is reserved for it, or else the smallest that is
// free and large enough. Nil if there is none.
//
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding
func choose(claim *corev1.PersistentVolumeClaim, volumes []*corev1.PersistentVolume) *corev1.PersistentVolume {
	var free []*corev1.PersistentVolume
	for _, v := range volumes {
		if !suits(claim, v) {
			continue
		}
		switch {
		case isFor(v, claim):
			return v
		case v.Spec.ClaimRef == nil && selected(claim, v):
			free = append(free, v)
		}
	}
	if len(free) == 0 {
		return nil
	}
	return slices.MinFunc(free, func(a, b *corev1.PersistentVolume) int {
		return cmp.Or(a.Spec.Capacity.Storage().Cmp(*b.Spec.Capacity.Storage()), cmp.Compare(a.Name, b.Name))
	})
}

// isFor reports whether the volume is bound to the claim, or reserved for it by name.
func isFor(v *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) bool {
	ref := v.Spec.ClaimRef
	return ref != nil && ref.Namespace == claim.Namespace && ref.Name == claim.Name && (ref.UID == "" || ref.UID == claim.UID)
}

// suits reports whether the volume is of the claim's class and mode, large enough, and can be accessed as it asks for.
func suits(claim *corev1.PersistentVolumeClaim, v *corev1.PersistentVolume) bool {
	modeOf := func(mode *corev1.PersistentVolumeMode) corev1.PersistentVolumeMode {
		return ptr.Deref(mode, corev1.PersistentVolumeFilesystem)
	}
	switch {
	case v.DeletionTimestamp != nil || claim.Spec.VolumeName != "" && claim.Spec.VolumeName != v.Name:
		return false
	case modeOf(claim.Spec.VolumeMode) != modeOf(v.Spec.VolumeMode):
		return false
	case v.Spec.Capacity.Storage().Cmp(*claim.Spec.Resources.Requests.Storage()) < 0:
		return false
	case volume.GetPersistentVolumeClaimClass(claim) != volume.GetPersistentVolumeClass(v):
		return false
	case ptr.Deref(claim.Spec.VolumeAttributesClassName, "") != ptr.Deref(v.Spec.VolumeAttributesClassName, ""):
		return false
	}
	for _, mode := range claim.Spec.AccessModes {
		if !slices.Contains(v.Spec.AccessModes, mode) {
			return false
		}
	}
	return true
}

func selected(claim *corev1.PersistentVolumeClaim, v *corev1.PersistentVolume) bool {
	if claim.Spec.Selector == nil {
		return true
	}
	selector, err := metav1.LabelSelectorAsSelector(claim.Spec.Selector)
	return err == nil && selector.Matches(labels.Set(v.Labels))
}

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
