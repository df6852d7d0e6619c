// Package dra declares the resources of resource.k8s.io: dynamic resource allocation.
package dra

import "github.com/coracle-k8s/coracle/registry/resource"

// Resources of the group.
func Resources() []resource.Declaration {
	return []resource.Declaration{
		deviceClasses(),
		resourceClaims(),
		resourceClaimTemplates(),
		resourceSlices(),
	}
}
