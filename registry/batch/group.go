// Package batch declares the resources of the batch group.
package batch

import "github.com/coracle-k8s/coracle/registry/resource"

// Resources of the group.
func Resources() []resource.Declaration {
	return []resource.Declaration{
		cronJobs(),
		jobs(),
	}
}
