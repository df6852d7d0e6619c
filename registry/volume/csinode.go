package volume

import (
	storagev1 "k8s.io/api/storage/v1"

	"github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type csiNode = storagev1.CSINode

// CSINodes say which storage drivers a node has.
func csiNodes() *resource.Resource[*csiNode] {
	return resource.Define(resource.Definition[*csiNode]{
		Name:            "csinodes",
		Gated:           volume.GatedCSINode(),
		ValidateCreate:  volume.ValidateCSINode,
		ValidateUpdate:  volume.ValidateCSINodeUpdate,
		ReturnDeleted:   true,
		VersionRequired: true,
		Columns: []resource.Column[*csiNode]{
			{Name: "Drivers", Type: "integer", Description: "Drivers indicates the number of CSI drivers registered on the node", Cell: func(n *csiNode) any {
				return int64(len(n.Spec.Drivers))
			}},
		},
		CopyStatus: func(into, from *csiNode) { into.Status = from.Status },
		Status: &resource.Part[*csiNode]{
			FreezeMetadata: true,
			Gated:          volume.GatedCSINode(),
			Validate:       volume.ValidateCSINodeStatus,
			Resets:         []string{"metadata", "spec"},
		},
	})
}
