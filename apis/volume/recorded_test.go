package volume

import (
	"testing"

	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/recorded"
)

func TestAnswersAsRecorded(t *testing.T) {
	recorded.Check(t, map[string]recorded.Kind{
		"CSIDriver":          recorded.Of(DefaultCSIDriver, ValidateCSIDriver, ValidateCSIDriverUpdate),
		"CSINode":            recorded.Of(nil, ValidateCSINode, ValidateCSINodeUpdate),
		"CSIStorageCapacity": recorded.Of(nil, ValidateCSIStorageCapacity, ValidateCSIStorageCapacityUpdate),
		"StorageClass":       recorded.Of(DefaultStorageClass, ValidateStorageClass, ValidateStorageClassUpdate),
		"VolumeAttachment":   recorded.Of(nil, ValidateVolumeAttachment, ValidateVolumeAttachmentUpdate),
		"VolumeAttributesClass": recorded.Of(nil, ValidateVolumeAttributesClass, func(c, old *storagev1.VolumeAttributesClass) field.ErrorList {
			return append(ValidateVolumeAttributesClassUpdate(c, old), ValidateVolumeAttributesClass(c)...)
		}),
	})
}
