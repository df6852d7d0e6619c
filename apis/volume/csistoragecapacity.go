package volume

import (
	storagev1 "k8s.io/api/storage/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

// ValidateCSIStorageCapacity checks where how much is left.
// https://kubernetes.io/docs/concepts/storage/storage-capacity/
func ValidateCSIStorageCapacity(c *storagev1.CSIStorageCapacity) field.ErrorList {
	errs := append(rule.Selector(c.NodeTopology, field.NewPath("nodeTopology")), rule.DNSSubdomain(c.StorageClassName, field.NewPath("storageClassName"))...)
	if c.Capacity != nil {
		errs = append(errs, rule.NonNegativeQuantity(*c.Capacity, field.NewPath("capacity"))...)
	}
	return errs
}

// ValidateCSIStorageCapacityUpdate lets only the amounts change.
func ValidateCSIStorageCapacityUpdate(c, old *storagev1.CSIStorageCapacity) field.ErrorList {
	errs := ValidateCSIStorageCapacity(c)
	if !apiequality.Semantic.DeepEqual(c.NodeTopology, old.NodeTopology) {
		errs = append(errs, field.Invalid(field.NewPath("nodeTopology"), c.NodeTopology, "field is immutable"))
	}
	return append(errs, rule.Immutable(c.StorageClassName, old.StorageClassName, field.NewPath("storageClassName"))...)
}
