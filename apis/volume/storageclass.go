// Package volume says what the objects of storage.k8s.io mean: defaults and validation, as pure functions.
package volume

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

const (
	maxParameters     = 512
	maxParametersSize = 256 * 1024
)

// DefaultStorageClass deletes volumes with their claims, and makes them at once.
// https://kubernetes.io/docs/concepts/storage/storage-classes/
func DefaultStorageClass(c *storagev1.StorageClass) {
	if c.ReclaimPolicy == nil {
		c.ReclaimPolicy = new(corev1.PersistentVolumeReclaimDelete)
	}
	if c.VolumeBindingMode == nil {
		c.VolumeBindingMode = new(storagev1.VolumeBindingImmediate)
	}
}

// ValidateStorageClass checks parameters and policies.
func ValidateStorageClass(c *storagev1.StorageClass) field.ErrorList {
	errs := append(validateProvisioner(c.Provisioner, field.NewPath("provisioner")), validateParameters(c.Parameters, field.NewPath("parameters"))...)
	if p := c.ReclaimPolicy; p != nil && *p != "" {
		errs = append(errs, rule.OneOf(*p, field.NewPath("reclaimPolicy"), corev1.PersistentVolumeReclaimDelete, corev1.PersistentVolumeReclaimRetain)...)
	}
	if mode := field.NewPath("volumeBindingMode"); c.VolumeBindingMode == nil {
		errs = append(errs, field.Required(mode, ""))
	} else {
		errs = append(errs, rule.OneOf(*c.VolumeBindingMode, mode, storagev1.VolumeBindingImmediate, storagev1.VolumeBindingWaitForFirstConsumer)...)
	}
	return append(errs, validateTopologies(c.AllowedTopologies, field.NewPath("allowedTopologies"))...)
}

// ValidateStorageClassUpdate keeps what volumes have been made of.
func ValidateStorageClassUpdate(c, old *storagev1.StorageClass) field.ErrorList {
	return slices.Concat(
		ValidateStorageClass(c),
		rule.Immutable(c.Parameters, old.Parameters, field.NewPath("parameters")),
		rule.Immutable(c.Provisioner, old.Provisioner, field.NewPath("provisioner")),
		rule.Immutable(c.ReclaimPolicy, old.ReclaimPolicy, field.NewPath("reclaimPolicy")),
		rule.Immutable(c.VolumeBindingMode, old.VolumeBindingMode, field.NewPath("volumeBindingMode")),
	)
}

func validateProvisioner(name string, at *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(at, name)}
	}
	return rule.QualifiedName(strings.ToLower(name), at)
}

func validateParameters(parameters map[string]string, at *field.Path) (errs field.ErrorList) {
	if len(parameters) > maxParameters {
		return field.ErrorList{field.TooLong(at, "", maxParameters)}
	}
	size := 0
	for k, v := range parameters {
		if k == "" {
			errs = append(errs, field.Invalid(at, k, "field can not be empty."))
		}
		size += len(k) + len(v)
	}
	if size > maxParametersSize {
		errs = append(errs, field.TooLong(at, "", maxParametersSize))
	}
	return errs
}

func validateTopologies(terms []corev1.TopologySelectorTerm, at *field.Path) (errs field.ErrorList) {
	seen := []map[string][]string{nil} // an empty term repeats nothing: it is refused
	for i, term := range terms {
		at := at.Index(i).Child("matchLabelExpressions")
		values := map[string][]string{}
		for j, e := range term.MatchLabelExpressions {
			at := at.Index(j)
			if len(e.Values) == 0 {
				errs = append(errs, field.Required(at.Child("values"), ""))
			}
			for k, value := range e.Values {
				if slices.Contains(e.Values[:k], value) {
					errs = append(errs, field.Duplicate(at.Child("values").Index(k), value))
				}
			}
			errs = append(errs, metav1validation.ValidateLabelName(e.Key, at.Child("key"))...)
			if _, ok := values[e.Key]; ok {
				errs = append(errs, field.Duplicate(at.Child("key"), e.Key))
			}
			values[e.Key] = slices.Sorted(slices.Values(e.Values))
		}
		if slices.ContainsFunc(seen, func(other map[string][]string) bool { return apiequality.Semantic.DeepEqual(values, other) }) {
			errs = append(errs, field.Duplicate(at, ""))
		}
		seen = append(seen, values)
	}
	return errs
}
