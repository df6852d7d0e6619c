package rbac

import (
	"context"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/validation/path"

	"github.com/coracle-k8s/coracle/apis/rbac"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type clusterRoleBinding = rbacv1.ClusterRoleBinding

// ClusterRoleBindings can be written only by those who hold what the role grants, or may bind it.
func clusterRoleBindings(guard Guard) *resource.Resource[*clusterRoleBinding] {
	return resource.Define(resource.Definition[*clusterRoleBinding]{
		Name:     "clusterrolebindings",
		NameRule: path.ValidatePathSegmentName,
		Default:  rbac.DefaultClusterRoleBinding,
		BeginCreate: func(ctx context.Context, b *clusterRoleBinding, _ bool) (resource.Finish, error) {
			return nil, guard.Binding(ctx, b.Name, b.RoleRef)
		},
		BeginUpdate: func(ctx context.Context, b, old *clusterRoleBinding, _ bool) (resource.Finish, error) {
			if onlyOwners(b, old) {
				return nil, nil
			}
			return nil, guard.Binding(ctx, b.Name, b.RoleRef)
		},
		ValidateCreate: rbac.ValidateClusterRoleBinding,
		ValidateUpdate: rbac.ValidateClusterRoleBindingUpdate,
		CreateOnUpdate: true,
		Columns: bindingColumns("clusterRoleBinding", rbacv1.ClusterRoleBinding{}.SwaggerDoc()["roleRef"],
			func(b *clusterRoleBinding) (rbacv1.RoleRef, []rbacv1.Subject) { return b.RoleRef, b.Subjects }),
	})
}
