// Package volume declares the resources of storage.k8s.io.
package volume

import "github.com/coracle-k8s/coracle/registry/resource"

// Resources of the group.
func Resources() []resource.Declaration {
	return []resource.Declaration{
		csiDrivers(),
		csiNodes(),
		csiStorageCapacities(),
		storageClasses(),
		volumeAttachments(),
		volumeAttributesClasses(),
	}
}
