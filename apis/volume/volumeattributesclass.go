package volume

import (
	storagev1 "k8s.io/api/storage/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ValidateVolumeAttributesClass checks driver and parameters.
// https://kubernetes.io/docs/concepts/storage/volume-attributes-classes/
func ValidateVolumeAttributesClass(c *storagev1.VolumeAttributesClass) field.ErrorList {
	at := field.NewPath("parameters")
	errs := append(validateProvisioner(c.DriverName, field.NewPath("driverName")), validateParameters(c.Parameters, at)...)
	if len(c.Parameters) == 0 {
		errs = append(errs, field.Required(at, "must contain at least one key/value pair"))
	}
	return errs
}

// ValidateVolumeAttributesClassUpdate lets nothing change but metadata.
func ValidateVolumeAttributesClassUpdate(c, old *storagev1.VolumeAttributesClass) (errs field.ErrorList) {
	if c.DriverName != old.DriverName {
		errs = append(errs, field.Forbidden(field.NewPath("driverName"), "updates to driverName are forbidden."))
	}
	if !apiequality.Semantic.DeepEqual(c.Parameters, old.Parameters) {
		errs = append(errs, field.Forbidden(field.NewPath("parameters"), "updates to parameters are forbidden."))
	}
	return errs
}
