package core

import (
	"cmp"
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type persistentVolume = corev1.PersistentVolume

// PersistentVolumes are storage that outlives pods.
func persistentVolumes() *resource.Resource[*persistentVolume] {
	return resource.Define(resource.Definition[*persistentVolume]{
		Name: "persistentvolumes", Short: []string{"pv"},
		Default: core.DefaultPersistentVolume,
		PrepareForCreate: func(_ context.Context, v *persistentVolume) {
			now := metav1.Now()
			v.Status.Phase, v.Status.LastPhaseTransitionTime = corev1.VolumePending, &now
		},
		ValidateCreate: core.ValidatePersistentVolume,
		ValidateUpdate: core.ValidatePersistentVolumeUpdate,
		Warnings:       func(_ context.Context, v, _ *persistentVolume) []string { return core.PersistentVolumeWarnings(v) },
		ReturnDeleted:  true,
		Columns:        persistentVolumeColumns(),
		CopyStatus:     func(into, from *persistentVolume) { into.Status = from.Status },
		Status: &resource.Part[*persistentVolume]{
			Prepare: func(_ context.Context, v, old *persistentVolume) { notePhaseChange(&v.Status, &old.Status) },
		},
	})
}

// notePhaseChange keeps the time of the last change of phase, unless the client says it.
func notePhaseChange(s, old *corev1.PersistentVolumeStatus) {
	switch {
	case s.Phase == old.Phase && s.LastPhaseTransitionTime == nil:
		s.LastPhaseTransitionTime = old.LastPhaseTransitionTime
	case s.Phase != old.Phase && (s.LastPhaseTransitionTime == nil || s.LastPhaseTransitionTime.Equal(old.LastPhaseTransitionTime)):
		now := metav1.Now()
		s.LastPhaseTransitionTime = &now
	}
}

func persistentVolumeColumns() []resource.Column[*persistentVolume] {
	spec, status := corev1.PersistentVolumeSpec{}.SwaggerDoc(), corev1.PersistentVolumeStatus{}.SwaggerDoc()
	return []resource.Column[*persistentVolume]{
		{Name: "Capacity", Description: spec["capacity"], Cell: func(v *persistentVolume) any { return storageOf(v.Spec.Capacity) }},
		{Name: "Access Modes", Description: spec["accessModes"], Cell: func(v *persistentVolume) any { return core.AccessModes(v.Spec.AccessModes) }},
		{Name: "Reclaim Policy", Description: spec["persistentVolumeReclaimPolicy"], Cell: func(v *persistentVolume) any { return string(v.Spec.PersistentVolumeReclaimPolicy) }},
		{Name: "Status", Description: status["phase"], Cell: func(v *persistentVolume) any { return orTerminating(v, string(v.Status.Phase)) }},
		{Name: "Claim", Description: spec["claimRef"], Cell: func(v *persistentVolume) any {
			if v.Spec.ClaimRef == nil {
				return ""
			}
			return v.Spec.ClaimRef.Namespace + "/" + v.Spec.ClaimRef.Name
		}},
		{Name: "StorageClass", Description: "StorageClass of the pv", Cell: func(v *persistentVolume) any {
			return cmp.Or(v.Annotations[corev1.BetaStorageClassAnnotation], v.Spec.StorageClassName)
		}},
		{Name: "VolumeAttributesClass", Description: "VolumeAttributesClass of the pv", Cell: func(v *persistentVolume) any {
			return column.Text(v.Spec.VolumeAttributesClassName, "<unset>")
		}},
		{Name: "Reason", Description: status["reason"], Cell: func(v *persistentVolume) any { return v.Status.Reason }},
		{Name: "VolumeMode", Priority: 1, Description: spec["volumeMode"], Cell: func(v *persistentVolume) any { return column.Text(v.Spec.VolumeMode, "<unset>") }},
	}
}

func storageOf(list corev1.ResourceList) string {
	quantity := list[corev1.ResourceStorage]
	return quantity.String()
}

func orTerminating(obj metav1.Object, phase string) string {
	if obj.GetDeletionTimestamp() != nil {
		return "Terminating"
	}
	return phase
}
