// Package policy declares the resources of the policy group.
package policy

import "github.com/coracle-k8s/coracle/registry/resource"

// Resources of the group.
func Resources() []resource.Declaration {
	return []resource.Declaration{
		podDisruptionBudgets(),
	}
}
