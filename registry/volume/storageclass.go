package volume

import (
	storagev1 "k8s.io/api/storage/v1"

	"github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type storageClass = storagev1.StorageClass

// StorageClasses name ways in which volumes are made.
func storageClasses() *resource.Resource[*storageClass] {
	doc, name := storagev1.StorageClass{}.SwaggerDoc(), column.Name[*storageClass]()
	name.Cell = func(c *storageClass) any {
		for _, annotation := range []string{"storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"} {
			if c.Annotations[annotation] == "true" {
				return c.Name + " (default)"
			}
		}
		return c.Name
	}
	return resource.Define(resource.Definition[*storageClass]{
		Name: "storageclasses", Short: []string{"sc"},
		Default:        volume.DefaultStorageClass,
		ValidateCreate: volume.ValidateStorageClass,
		ValidateUpdate: volume.ValidateStorageClassUpdate,
		ReturnDeleted:  true,
		Columns: []resource.Column[*storageClass]{
			name,
			{Name: "Provisioner", Description: doc["provisioner"], Cell: func(c *storageClass) any { return c.Provisioner }},
			{Name: "ReclaimPolicy", Description: doc["reclaimPolicy"], Cell: func(c *storageClass) any { return column.Text(c.ReclaimPolicy, "Delete") }},
			{Name: "VolumeBindingMode", Description: doc["volumeBindingMode"], Cell: func(c *storageClass) any { return column.Text(c.VolumeBindingMode, "Immediate") }},
			{Name: "AllowVolumeExpansion", Description: doc["allowVolumeExpansion"], Cell: func(c *storageClass) any { return c.AllowVolumeExpansion != nil && *c.AllowVolumeExpansion }},
			column.Age[*storageClass](),
		},
	})
}
