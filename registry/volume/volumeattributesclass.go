package volume

import (
	storagev1 "k8s.io/api/storage/v1"

	"github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type attributesClass = storagev1.VolumeAttributesClass

// VolumeAttributesClasses name properties that volumes can change to.
func volumeAttributesClasses() *resource.Resource[*attributesClass] {
	return resource.Define(resource.Definition[*attributesClass]{
		Name: "volumeattributesclasses", Short: []string{"vac"},
		Validate:       volume.ValidateVolumeAttributesClass,
		ValidateUpdate: volume.ValidateVolumeAttributesClassUpdate,
		ReturnDeleted:  true,
		Columns: []resource.Column[*attributesClass]{
			{Name: "DriverName", Description: storagev1.VolumeAttributesClass{}.SwaggerDoc()["driverName"], Cell: func(c *attributesClass) any { return c.DriverName }},
		},
	})
}
