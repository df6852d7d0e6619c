package volume

import (
	"math"

	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

const (
	maxAttachmentMetadata = 256 * 1024
	maxErrorMessage       = 1024
)

// ValidateVolumeAttachment checks what is attached where.
func ValidateVolumeAttachment(a *storagev1.VolumeAttachment) field.ErrorList {
	spec := field.NewPath("spec")
	errs := rule.DriverNameOfAnyCase(a.Spec.Attacher, spec.Child("attacher"))
	if a.Spec.Attacher == "" {
		errs = rule.Declared(errs...)
	}
	inline, name := a.Spec.Source.InlineVolumeSpec, a.Spec.Source.PersistentVolumeName
	switch at := spec.Child("source"); {
	case inline == nil && name == nil:
		errs = append(errs, field.Required(at, "must specify exactly one of inlineVolumeSpec and persistentVolumeName"))
	case inline != nil && name != nil:
		errs = append(errs, field.Forbidden(at, "must specify exactly one of inlineVolumeSpec and persistentVolumeName"))
	case name != nil && *name == "":
		errs = append(errs, field.Required(at.Child("persistentVolumeName"), "must specify non empty persistentVolumeName"))
	}
	errs = append(errs, rule.DNSSubdomain(a.Spec.NodeName, spec.Child("nodeName"))...)
	if name != nil {
		errs = append(errs, rule.DNSSubdomain(*name, field.NewPath("spec.source.persistentVolumeName"))...)
	}
	return append(errs, validateAttachmentStatus(&a.Status)...)
}

// ValidateVolumeAttachmentUpdate lets nothing change but metadata.
func ValidateVolumeAttachmentUpdate(a, old *storagev1.VolumeAttachment) field.ErrorList {
	return append(ValidateVolumeAttachment(a), rule.Fixed(a.Spec, old.Spec, field.NewPath("spec"))...)
}

// ValidateVolumeAttachmentStatus checks the sizes.
func ValidateVolumeAttachmentStatus(a, _ *storagev1.VolumeAttachment) field.ErrorList {
	return ValidateVolumeAttachment(a)
}

func validateAttachmentStatus(s *storagev1.VolumeAttachmentStatus) (errs field.ErrorList) {
	at, size := field.NewPath("status"), 0
	for k, v := range s.AttachmentMetadata {
		size += len(k) + len(v)
	}
	if size > maxAttachmentMetadata {
		errs = append(errs, field.TooLong(at.Child("attachmentMetadata"), "", maxAttachmentMetadata))
	}
	errs = append(errs, validateVolumeError(s.AttachError, at.Child("attachError"))...)
	return append(errs, validateVolumeError(s.DetachError, at.Child("detachError"))...)
}

func validateVolumeError(e *storagev1.VolumeError, at *field.Path) (errs field.ErrorList) {
	if e == nil {
		return nil
	}
	if len(e.Message) > maxErrorMessage {
		errs = append(errs, field.TooLong(at.Child("message"), "", maxErrorMessage))
	}
	if e.ErrorCode != nil && *e.ErrorCode < 0 {
		errs = append(errs, field.Invalid(at.Child("errorCode"), *e.ErrorCode, validation.InclusiveRangeError(0, math.MaxInt32)))
	}
	return errs
}
