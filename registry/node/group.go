// Package node declares the resources of node.k8s.io.
package node

import "github.com/coracle-k8s/coracle/registry/resource"

// Resources of the group.
func Resources() []resource.Declaration {
	return []resource.Declaration{
		runtimeClasses(),
	}
}
