package dra

import (
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/dra"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type deviceClass = resourcev1.DeviceClass

// DeviceClasses name sorts of devices.
func deviceClasses() *resource.Resource[*deviceClass] {
	return resource.Define(resource.Definition[*deviceClass]{
		Name:           "deviceclasses",
		Generation:     func(c *deviceClass) any { return &c.Spec },
		ValidateCreate: func(c *deviceClass) field.ErrorList { return dra.ValidateDeviceClass(c, nil, checkSelector) },
		ValidateUpdate: func(c, old *deviceClass) field.ErrorList { return dra.ValidateDeviceClass(c, old, checkSelector) },
		ReturnDeleted:  true,
	})
}
