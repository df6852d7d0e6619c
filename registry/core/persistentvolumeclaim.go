package core

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/apis/feature"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type claim = corev1.PersistentVolumeClaim

// PersistentVolumeClaims ask for storage and, once bound, stand for it.
func persistentVolumeClaims() *resource.Resource[*claim] {
	return resource.Define(resource.Definition[*claim]{
		Name: "persistentvolumeclaims", Short: []string{"pvc"}, Namespaced: true,
		Default:          core.DefaultClaim,
		Gated:            feature.In(core.GatedClaimSpec(), func(c *claim) *corev1.PersistentVolumeClaimSpec { return &c.Spec }),
		PrepareForCreate: func(_ context.Context, c *claim) { core.NormalizeDataSource(&c.Spec, nil) },
		PrepareForUpdate: func(_ context.Context, c, old *claim) { core.NormalizeDataSource(&c.Spec, &old.Spec) },
		ValidateCreate:   core.ValidateClaim,
		ValidateUpdate:   core.ValidateClaimUpdate,
		Warnings:         func(_ context.Context, c, _ *claim) []string { return core.ClaimWarnings(c) },
		ReturnDeleted:    true,
		Columns:          claimColumns(),
		CopyStatus:       func(into, from *claim) { into.Status = from.Status },
		Status:           &resource.Part[*claim]{Gated: core.GatedClaimStatus(), Validate: core.ValidateClaimStatusUpdate},
	})
}

func claimColumns() []resource.Column[*claim] {
	spec, status := corev1.PersistentVolumeClaimSpec{}.SwaggerDoc(), corev1.PersistentVolumeClaimStatus{}.SwaggerDoc()
	return []resource.Column[*claim]{
		{Name: "Status", Description: status["phase"], Cell: func(c *claim) any { return orTerminating(c, string(c.Status.Phase)) }},
		{Name: "Volume", Description: spec["volumeName"], Cell: func(c *claim) any { return c.Spec.VolumeName }},
		{Name: "Capacity", Description: status["capacity"], Cell: func(c *claim) any {
			if c.Spec.VolumeName == "" {
				return ""
			}
			return storageOf(c.Status.Capacity)
		}},
		{Name: "Access Modes", Description: status["accessModes"], Cell: func(c *claim) any {
			if c.Spec.VolumeName == "" {
				return ""
			}
			return core.AccessModes(c.Status.AccessModes)
		}},
		{Name: "StorageClass", Description: "StorageClass of the pvc", Cell: func(c *claim) any {
			if class, ok := c.Annotations[corev1.BetaStorageClassAnnotation]; ok {
				return class
			}
			return column.Text(c.Spec.StorageClassName, "")
		}},
		{Name: "VolumeAttributesClass", Description: "VolumeAttributesClass of the pvc", Cell: func(c *claim) any {
			return column.Text(c.Spec.VolumeAttributesClassName, "<unset>")
		}},
		{Name: "VolumeMode", Priority: 1, Description: spec["volumeMode"], Cell: func(c *claim) any { return column.Text(c.Spec.VolumeMode, "<unset>") }},
	}
}
