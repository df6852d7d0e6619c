package certificates

import (
	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/certificates"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type trustBundle = certificatesv1.ClusterTrustBundle

// ClusterTrustBundles are the authorities whose certificates Pods shall trust, a signer's or anybody's.
func clusterTrustBundles() *resource.Resource[*trustBundle] {
	return resource.Define(resource.Definition[*trustBundle]{
		Name:            "clustertrustbundles",
		NameRule:        func(string, bool) []string { return nil }, // it depends on the signer: see ValidateTrustBundle
		ValidateCreate:  func(b *trustBundle) field.ErrorList { return certificates.ValidateTrustBundle(b, nil) },
		ValidateUpdate:  certificates.ValidateTrustBundle,
		VersionRequired: true,
		Fields: []resource.Field[*trustBundle]{
			{Path: "spec.signerName", Value: func(b *trustBundle) string { return b.Spec.SignerName }},
		},
		Columns: []resource.Column[*trustBundle]{
			column.Name[*trustBundle](),
			{Name: "SignerName", Description: certificatesv1.ClusterTrustBundleSpec{}.SwaggerDoc()["signerName"], Cell: func(b *trustBundle) any {
				if b.Spec.SignerName == "" {
					return "<none>"
				}
				return b.Spec.SignerName
			}},
		},
	})
}
