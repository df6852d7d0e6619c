package dra

import (
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/core"
)

// ValidateDeviceClass checks selectors and configuration; old is nil on create.
func ValidateDeviceClass(c, old *resourcev1.DeviceClass, check Checker) field.ErrorList {
	sameSelectors := old != nil && apiequality.Semantic.DeepEqual(c.Spec.Selectors, old.Spec.Selectors)
	sameConfig := old != nil && apiequality.Semantic.DeepEqual(c.Spec.Config, old.Spec.Config)
	errs := check.selectors(c.Spec.Selectors, sameSelectors, spec.Child("selectors"))
	errs = append(errs, each(c.Spec.Config, resourcev1.DeviceConfigMaxSize, func(config *resourcev1.DeviceClassConfiguration, at *field.Path) field.ErrorList {
		return validateConfiguration(&config.DeviceConfiguration, sameConfig, at)
	}, spec.Child("config"))...)
	if name := c.Spec.ExtendedResourceName; name != nil && !core.IsExtended(corev1.ResourceName(*name)) {
		errs = append(errs, field.Invalid(spec.Child("extendedResourceName"), *name, "must be a valid extended resource name"))
	}
	return errs
}
