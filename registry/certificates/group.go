// Package certificates declares the resources of certificates.k8s.io.
package certificates

import "github.com/coracle-k8s/coracle/registry/resource"

// Resources of the group.
func Resources() []resource.Declaration {
	return []resource.Declaration{certificateSigningRequests()}
}
