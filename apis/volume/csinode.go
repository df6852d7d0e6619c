package volume

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/feature"
	"github.com/coracle-k8s/coracle/apis/rule"
)

const (
	maxNodeID           = 192
	maxHealthConditions = 16
	maxHealthReason     = 256
	maxHealthMessage    = 1024
)

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

// GatedCSINode are the fields of CSINodes whose features are off by default.
func GatedCSINode() []feature.Field[*storagev1.CSINode] {
	return []feature.Field[*storagev1.CSINode]{{
		Gate:  feature.CSIVolumeHealth,
		InUse: func(n *storagev1.CSINode) bool { return len(n.Status.StorageHealth) > 0 },
		Drop:  func(n *storagev1.CSINode) { n.Status.StorageHealth = nil },
	}}
}

// ValidateCSINodeStatus checks what the drivers say of the storage that they reach.
func ValidateCSINodeStatus(n, _ *storagev1.CSINode) (errs field.ErrorList) {
	seen := map[string]bool{}
	for i := range n.Status.StorageHealth {
		h, at := &n.Status.StorageHealth[i], field.NewPath("status", "storageHealth").Index(i)
		if seen[h.Name] {
			errs = append(errs, field.Duplicate(at, h.Name))
		}
		seen[h.Name] = true
		errs = append(errs, rule.DriverName(h.Name, at.Child("name"))...)
		conditions := at.Child("healthConditions")
		if n := len(h.HealthConditions); n > maxHealthConditions {
			errs = append(errs, field.TooMany(conditions, n, maxHealthConditions))
			continue
		}
		for j := range h.HealthConditions {
			errs = append(errs, validateHealth(&h.HealthConditions[j], conditions.Index(j))...)
		}
	}
	return errs
}

func validateHealth(c *storagev1.StorageHealthCondition, at *field.Path) field.ErrorList {
	errs, reason := rule.OneOf(c.Status, at.Child("status"), storagev1.StorageDegraded, storagev1.StorageUnreachable), at.Child("reason")
	if c.Reason == "" {
		errs = append(errs, field.Required(reason, ""))
	} else {
		errs = append(errs, rule.Invalid(reason, c.Reason, metav1validation.IsValidConditionReason(c.Reason))...)
		if len(c.Reason) > maxHealthReason {
			errs = append(errs, field.TooLong(reason, c.Reason, maxHealthReason))
		}
	}
	if len(c.Message) > maxHealthMessage {
		errs = append(errs, field.TooLong(at.Child("message"), c.Message, maxHealthMessage))
	}
	if m := c.AccessMode; m != nil {
		errs = append(errs, rule.OneOf(*m, at.Child("accessMode"), corev1.ReadOnlyMany, corev1.ReadWriteMany, corev1.ReadWriteOnce, corev1.ReadWriteOncePod)...)
	}
	if m := c.VolumeMode; m != nil {
		errs = append(errs, rule.OneOf(*m, at.Child("volumeMode"), corev1.PersistentVolumeFilesystem, corev1.PersistentVolumeBlock)...)
	}
	return errs
}
