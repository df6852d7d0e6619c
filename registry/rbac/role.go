package rbac

import (
	"context"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/validation/path"

	"github.com/coracle-k8s/coracle/apis/rbac"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type role = rbacv1.Role

// Roles can be written only by those who hold what the role grants.
func roles(guard Guard) *resource.Resource[*role] {
	return resource.Define(resource.Definition[*role]{
		Name: "roles", Namespaced: true,
		NameRule: path.ValidatePathSegmentName,
		BeginCreate: func(ctx context.Context, r *role, _ bool) (resource.Finish, error) {
			return nil, guard.Role(ctx, r.Name, r.Rules, false)
		},
		BeginUpdate: func(ctx context.Context, r, old *role, _ bool) (resource.Finish, error) {
			if onlyOwners(r, old) {
				return nil, nil
			}
			return nil, guard.Role(ctx, r.Name, r.Rules, false)
		},
		Validate:       rbac.ValidateRole,
		CreateOnUpdate: true,
		Columns:        resource.CreatedAt[*role](),
	})
}
