package volume

import (
	"fmt"
	"slices"

	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

const maxNodeID = 192

// ValidateCSINode checks the node's drivers.
func ValidateCSINode(n *storagev1.CSINode) (errs field.ErrorList) {
	seen := map[string]bool{}
	for i := range n.Spec.Drivers {
		d, at := &n.Spec.Drivers[i], field.NewPath("spec", "drivers").Index(i)
		errs = append(errs, validateNodeDriver(d, at)...)
		if seen[d.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), d.Name))
		}
		seen[d.Name] = true
	}
	return errs
}

func validateNodeDriver(d *storagev1.CSINodeDriver, at *field.Path) field.ErrorList {
	errs, id := rule.DriverName(d.Name, at.Child("name")), at.Child("nodeID")
	if d.NodeID == "" {
		errs = append(errs, field.Required(id, ""))
	}
	if len(d.NodeID) > maxNodeID {
		errs = append(errs, field.Invalid(id, d.NodeID, fmt.Sprintf("must be %d characters or less", maxNodeID)))
	}
	if d.Allocatable != nil {
		errs = append(errs, rule.NonNegativeIfSet(d.Allocatable.Count, at.Child("allocatable", "count"))...)
	}
	for i, key := range d.TopologyKeys {
		if key == "" {
			errs = append(errs, field.Required(at, key))
		}
		if slices.Contains(d.TopologyKeys[:i], key) {
			errs = append(errs, field.Duplicate(at, key))
		}
		errs = append(errs, rule.QualifiedName(key, at)...)
	}
	return errs
}

// ValidateCSINodeUpdate keeps drivers as they are, but for how many volumes they take. They may come and go.
func ValidateCSINodeUpdate(n, old *storagev1.CSINode) field.ErrorList {
	errs := ValidateCSINode(n)
	for _, was := range old.Spec.Drivers {
		for _, d := range n.Spec.Drivers {
			if d.Name == was.Name {
				d.Allocatable, was.Allocatable = nil, nil
				errs = append(errs, rule.Immutable(d, was, field.NewPath("spec", "drivers"))...)
			}
		}
	}
	return errs
}
