package rbac

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/recorded"
)

func TestAnswersAsRecorded(t *testing.T) {
	recorded.Check(t, map[string]recorded.Kind{
		"ClusterRole":        recorded.Of(nil, ValidateClusterRole, func(r, _ *rbacv1.ClusterRole) field.ErrorList { return ValidateClusterRole(r) }),
		"ClusterRoleBinding": recorded.Of(DefaultClusterRoleBinding, ValidateClusterRoleBinding, ValidateClusterRoleBindingUpdate),
		"Role":               recorded.Of(nil, ValidateRole, func(r, _ *rbacv1.Role) field.ErrorList { return ValidateRole(r) }),
		"RoleBinding":        recorded.Of(DefaultRoleBinding, ValidateRoleBinding, ValidateRoleBindingUpdate),
	})
}
