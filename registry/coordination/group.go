// Package coordination declares the resources of coordination.k8s.io.
package coordination

import "github.com/coracle-k8s/coracle/registry/resource"

// Resources of the group.
func Resources() []resource.Declaration {
	return []resource.Declaration{
		leases(),
	}
}
