package coordination

import (
	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/coracle-k8s/coracle/apis/coordination"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type lease = coordinationv1.Lease

// Leases say who leads, and which nodes are alive.
func leases() *resource.Resource[*lease] {
	return resource.Define(resource.Definition[*lease]{
		Name: "leases", Namespaced: true,
		Gated:           coordination.GatedLease(),
		Validate:        coordination.ValidateLease,
		CreateOnUpdate:  true,
		VersionRequired: true,
		Columns: []resource.Column[*lease]{
			{Name: "Holder", Description: coordinationv1.LeaseSpec{}.SwaggerDoc()["holderIdentity"], Cell: func(l *lease) any {
				return column.Text(l.Spec.HolderIdentity, "")
			}},
		},
	})
}
