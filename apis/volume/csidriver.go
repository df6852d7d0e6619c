package volume

import (
	"slices"

	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

const (
	minTokenSeconds  = 600
	maxTokenSeconds  = 1 << 32
	minUpdateSeconds = 10
)

// DefaultCSIDriver takes a driver to attach volumes for as long as they are needed.
// https://kubernetes-csi.github.io/docs/csi-driver-object.html
func DefaultCSIDriver(d *storagev1.CSIDriver) {
	s := &d.Spec
	orDefault(&s.AttachRequired, true)
	for _, flag := range []**bool{&s.PodInfoOnMount, &s.StorageCapacity, &s.RequiresRepublish, &s.SELinuxMount, &s.PreventPodSchedulingIfMissing} {
		orDefault(flag, false)
	}
	orDefault(&s.FSGroupPolicy, storagev1.ReadWriteOnceWithFSTypeFSGroupPolicy)
	if len(s.VolumeLifecycleModes) == 0 {
		s.VolumeLifecycleModes = []storagev1.VolumeLifecycleMode{storagev1.VolumeLifecyclePersistent}
	}
}

func orDefault[V any](value **V, fallback V) {
	if *value == nil {
		*value = &fallback
	}
}

// ValidateCSIDriver checks what the driver can do.
func ValidateCSIDriver(d *storagev1.CSIDriver) (errs field.ErrorList) {
	s, at := &d.Spec, field.NewPath("spec")
	for _, required := range []struct {
		name string
		flag *bool
	}{
		{"attachedRequired", s.AttachRequired}, {"podInfoOnMount", s.PodInfoOnMount},
		{"storageCapacity", s.StorageCapacity}, {"seLinuxMount", s.SELinuxMount},
	} {
		if required.flag == nil {
			errs = append(errs, field.Required(at.Child(required.name), ""))
		}
	}
	if p := s.FSGroupPolicy; p != nil {
		errs = append(errs, rule.OneOf(*p, at.Child("fsGroupPolicy"), storagev1.FileFSGroupPolicy, storagev1.NoneFSGroupPolicy, storagev1.ReadWriteOnceWithFSTypeFSGroupPolicy)...)
	}
	errs = append(errs, validateTokenRequests(s.TokenRequests, at.Child("tokenRequests"))...)
	for _, mode := range s.VolumeLifecycleModes {
		errs = append(errs, rule.OneOf(mode, at.Child("volumeLifecycleModes"), storagev1.VolumeLifecyclePersistent, storagev1.VolumeLifecycleEphemeral)...)
	}
	if n := s.NodeAllocatableUpdatePeriodSeconds; n != nil && *n < minUpdateSeconds {
		errs = append(errs, field.Invalid(at.Child("nodeAllocatableUpdatePeriodSeconds"), *n, "must be greater than or equal to 10 seconds"))
	}
	if s.ServiceAccountTokenInSecrets != nil && len(s.TokenRequests) == 0 {
		errs = append(errs, field.Invalid(at.Child("serviceAccountTokenInSecrets"), s.ServiceAccountTokenInSecrets, "serviceAccountTokenInSecrets is set but no tokenRequests are specified"))
	}
	return errs
}

// ValidateCSIDriverUpdate checks the driver, and keeps how volumes are attached.
func ValidateCSIDriverUpdate(d, old *storagev1.CSIDriver) field.ErrorList {
	at := field.NewPath("spec")
	return slices.Concat(ValidateCSIDriver(d),
		rule.Immutable(d.Spec.AttachRequired, old.Spec.AttachRequired, at.Child("attachedRequired")),
		rule.Immutable(d.Spec.VolumeLifecycleModes, old.Spec.VolumeLifecycleModes, at.Child("volumeLifecycleModes")))
}

func validateTokenRequests(requests []storagev1.TokenRequest, at *field.Path) (errs field.ErrorList) {
	seen := map[string]bool{}
	for i, r := range requests {
		at := at.Index(i)
		if seen[r.Audience] {
			errs = append(errs, field.Duplicate(at.Child("audience"), r.Audience))
			continue
		}
		seen[r.Audience] = true
		if n, at := r.ExpirationSeconds, at.Child("expirationSeconds"); n != nil {
			if *n < minTokenSeconds {
				errs = append(errs, field.Invalid(at, *n, "may not specify a duration less than 10 minutes"))
			}
			if *n > maxTokenSeconds {
				errs = append(errs, field.Invalid(at, *n, "may not specify a duration larger than 2^32 seconds"))
			}
		}
	}
	return errs
}
