package volume

import (
	storagev1 "k8s.io/api/storage/v1"

	"github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type capacity = storagev1.CSIStorageCapacity

// CSIStorageCapacities say how much is left of a storage class, and where.
func csiStorageCapacities() *resource.Resource[*capacity] {
	doc := storagev1.CSIStorageCapacity{}.SwaggerDoc()
	return resource.Define(resource.Definition[*capacity]{
		Name: "csistoragecapacities", Namespaced: true,
		Validate:        volume.ValidateCSIStorageCapacity,
		ValidateUpdate:  volume.ValidateCSIStorageCapacityUpdate,
		VersionRequired: true,
		Columns: []resource.Column[*capacity]{
			column.Name[*capacity](),
			{Name: "StorageClassName", Description: doc["storageClassName"], Cell: func(c *capacity) any { return c.StorageClassName }},
			{Name: "Capacity", Description: doc["capacity"], Cell: func(c *capacity) any {
				if c.Capacity == nil {
					return "<unset>"
				}
				return c.Capacity.String()
			}},
		},
	})
}
