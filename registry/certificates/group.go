// Package certificates declares the resources of certificates.k8s.io.
package certificates

import (
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/coracle-k8s/coracle/registry/resource"
)

// Resources of the group. The authorizer says who may sign what.
func Resources(signers authorizer.UnconditionalAuthorizer) []resource.Declaration {
	return []resource.Declaration{certificateSigningRequests(), clusterTrustBundles(), podCertificateRequests(signers)}
}
