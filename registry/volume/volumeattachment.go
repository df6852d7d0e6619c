package volume

import (
	storagev1 "k8s.io/api/storage/v1"

	"github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type attachment = storagev1.VolumeAttachment

// VolumeAttachments ask for a volume to be attached to a node.
func volumeAttachments() *resource.Resource[*attachment] {
	doc := storagev1.VolumeAttachmentSpec{}.SwaggerDoc()
	return resource.Define(resource.Definition[*attachment]{
		Name:            "volumeattachments",
		ValidateCreate:  volume.ValidateVolumeAttachment,
		ValidateUpdate:  volume.ValidateVolumeAttachmentUpdate,
		ReturnDeleted:   true,
		VersionRequired: true,
		Columns: []resource.Column[*attachment]{
			{Name: "Attacher", Format: "name", Description: doc["attacher"], Cell: func(a *attachment) any { return a.Spec.Attacher }},
			{Name: "PV", Description: storagev1.VolumeAttachmentSource{}.SwaggerDoc()["persistentVolumeName"], Cell: func(a *attachment) any {
				return column.Text(a.Spec.Source.PersistentVolumeName, "")
			}},
			{Name: "Node", Description: doc["nodeName"], Cell: func(a *attachment) any { return a.Spec.NodeName }},
			{Name: "Attached", Type: "boolean", Description: storagev1.VolumeAttachmentStatus{}.SwaggerDoc()["attached"], Cell: func(a *attachment) any { return a.Status.Attached }},
		},
		CopyStatus: func(into, from *attachment) { into.Status = from.Status },
		Status: &resource.Part[*attachment]{
			FreezeMetadata: true,
			Validate:       volume.ValidateVolumeAttachmentStatus,
			Resets:         []string{"metadata", "spec"},
		},
	})
}
