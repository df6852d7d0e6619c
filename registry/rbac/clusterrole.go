package rbac

import (
	"context"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/validation/path"

	"github.com/coracle-k8s/coracle/apis/rbac"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type clusterRole = rbacv1.ClusterRole

// ClusterRoles can be written only by those who hold what the role grants. Rules of those that aggregate others are
// written by a controller.
func clusterRoles(guard Guard) *resource.Resource[*clusterRole] {
	return resource.Define(resource.Definition[*clusterRole]{
		Name:     "clusterroles",
		NameRule: path.ValidatePathSegmentName,
		BeginCreate: func(ctx context.Context, r *clusterRole, _ bool) (resource.Finish, error) {
			return nil, guard.Role(ctx, r.Name, r.Rules, aggregates(r))
		},
		BeginUpdate: func(ctx context.Context, r, old *clusterRole, _ bool) (resource.Finish, error) {
			if onlyOwners(r, old) {
				return nil, nil
			}
			return nil, guard.Role(ctx, r.Name, r.Rules, aggregates(r) || aggregates(old))
		},
		Validate:       rbac.ValidateClusterRole,
		CreateOnUpdate: true,
		Columns:        resource.CreatedAt[*clusterRole](),
	})
}

func aggregates(r *clusterRole) bool {
	return r.AggregationRule != nil && len(r.AggregationRule.ClusterRoleSelectors) > 0
}
