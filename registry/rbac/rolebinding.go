package rbac

import (
	"context"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/validation/path"

	"github.com/coracle-k8s/coracle/apis/rbac"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type roleBinding = rbacv1.RoleBinding

// RoleBindings can be written only by those who hold what the role grants, or may bind it.
func roleBindings(guard Guard) *resource.Resource[*roleBinding] {
	return resource.Define(resource.Definition[*roleBinding]{
		Name: "rolebindings", Namespaced: true,
		NameRule: path.ValidatePathSegmentName,
		Default:  rbac.DefaultRoleBinding,
		BeginCreate: func(ctx context.Context, b *roleBinding, _ bool) (resource.Finish, error) {
			return nil, guard.Binding(ctx, b.Name, b.RoleRef)
		},
		BeginUpdate: func(ctx context.Context, b, old *roleBinding, _ bool) (resource.Finish, error) {
			if onlyOwners(b, old) {
				return nil, nil
			}
			return nil, guard.Binding(ctx, b.Name, b.RoleRef)
		},
		ValidateCreate: rbac.ValidateRoleBinding,
		ValidateUpdate: rbac.ValidateRoleBindingUpdate,
		CreateOnUpdate: true,
		Columns: bindingColumns("roleBinding", rbacv1.RoleBinding{}.SwaggerDoc()["roleRef"],
			func(b *roleBinding) (rbacv1.RoleRef, []rbacv1.Subject) { return b.RoleRef, b.Subjects }),
	})
}

// bindingColumns are the same for both kinds of bindings.
func bindingColumns[T resource.Object](kind, roleDoc string, of func(T) (rbacv1.RoleRef, []rbacv1.Subject)) []resource.Column[T] {
	subjects := func(name, wanted string) resource.Column[T] {
		return resource.Column[T]{Name: name, Priority: 1, Description: name + " in the " + kind, Cell: func(b T) any {
			_, all := of(b)
			return names(all, wanted)
		}}
	}
	return []resource.Column[T]{
		{Name: "Role", Description: roleDoc, Cell: func(b T) any {
			role, _ := of(b)
			return role.Kind + "/" + role.Name
		}},
		subjects("Users", rbacv1.UserKind),
		subjects("Groups", rbacv1.GroupKind),
		subjects("ServiceAccounts", rbacv1.ServiceAccountKind),
	}
}

func names(subjects []rbacv1.Subject, kind string) string {
	var all []string
	for _, s := range subjects {
		switch {
		case s.Kind != kind:
		case kind == rbacv1.ServiceAccountKind:
			all = append(all, s.Namespace+"/"+s.Name)
		default:
			all = append(all, s.Name)
		}
	}
	return strings.Join(all, ", ")
}
