// Package flowcontrol declares the resources of flowcontrol.apiserver.k8s.io.
package flowcontrol

import "github.com/coracle-k8s/coracle/registry/resource"

// Resources of the group.
func Resources() []resource.Declaration {
	return []resource.Declaration{
		flowSchemas(),
		priorityLevelConfigurations(),
	}
}
