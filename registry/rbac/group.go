// Package rbac declares the resources of rbac.authorization.k8s.io.
package rbac

import (
	"context"

	rbacv1 "k8s.io/api/rbac/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/registry/resource"
)

// Guard keeps the user of a request from granting what the user does not hold. Its errors are the API's.
type Guard interface {
	// Role checks a role that is written. aggregates says that the role can become anything.
	Role(ctx context.Context, name string, rules []rbacv1.PolicyRule, aggregates bool) error
	// Binding checks a binding that is written.
	Binding(ctx context.Context, name string, role rbacv1.RoleRef) error
}

// Resources of the group.
func Resources(guard Guard) []resource.Declaration {
	return []resource.Declaration{
		clusterRoleBindings(guard),
		clusterRoles(guard),
		roleBindings(guard),
		roles(guard),
	}
}

// onlyOwners reports whether an update changes no more than what the garbage collector writes: nobody gains by that.
func onlyOwners[T resource.Object](obj, old T) bool {
	copied := obj.DeepCopyObject().(T)
	meta, was := copied.GetObjectMeta().(*metav1.ObjectMeta), old.GetObjectMeta()
	meta.OwnerReferences, meta.Finalizers, meta.ManagedFields = was.GetOwnerReferences(), was.GetFinalizers(), was.GetManagedFields()
	return apiequality.Semantic.DeepEqual(copied, old)
}
