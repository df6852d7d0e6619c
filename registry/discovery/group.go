// Package discovery declares the resources of discovery.k8s.io.
package discovery

import "github.com/coracle-k8s/coracle/registry/resource"

// Resources of the group.
func Resources() []resource.Declaration {
	return []resource.Declaration{
		endpointSlices(),
	}
}
