// Package scheduling declares the resources of scheduling.k8s.io.
package scheduling

import "github.com/coracle-k8s/coracle/registry/resource"

// Resources of the group.
func Resources() []resource.Declaration {
	return []resource.Declaration{
		priorityClasses(),
	}
}
