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
	name.InList = func(all []*storageClass) func(*storageClass) any {
		used := defaultClass(all)
		return func(c *storageClass) any {
			if c == used {
				return c.Name + " (default)"
			}
			return c.Name
		}
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

// defaultClass is the one that claims without a class get: the newest that is marked, of those the first by name. Nil: none is.
func defaultClass(all []*storageClass) (found *storageClass) {
	for _, c := range all {
		if c.Annotations["storageclass.kubernetes.io/is-default-class"] != "true" && c.Annotations["storageclass.beta.kubernetes.io/is-default-class"] != "true" {
			continue
		}
		if found == nil || found.CreationTimestamp.Before(&c.CreationTimestamp) || found.CreationTimestamp.Equal(&c.CreationTimestamp) && c.Name < found.Name {
			found = c
		}
	}
	return found
}
