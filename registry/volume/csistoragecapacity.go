package volume

import (
	storagev1 "k8s.io/api/storage/v1"

	"github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type capacity = storagev1.CSIStorageCapacity

// CSIStorageCapacities say how much is left of a storage class, and where.
func csiStorageCapacities() *resource.Resource[*capacity] {
	return resource.Define(resource.Definition[*capacity]{
		Name: "csistoragecapacities", Namespaced: true,
		ValidateCreate:  volume.ValidateCSIStorageCapacity,
		ValidateUpdate:  volume.ValidateCSIStorageCapacityUpdate,
		VersionRequired: true,
		Columns:         resource.CreatedAt[*capacity](),
	})
}
