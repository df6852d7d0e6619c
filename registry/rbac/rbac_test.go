package rbac

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestOnlyTheGarbageCollectorsFieldsNeedNoRights(t *testing.T) {
	stored := func() *role {
		return &role{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}}
	}
	for name, c := range map[string]struct {
		change func(*role)
		want   bool
	}{
		"nothing":    {func(*role) {}, true},
		"owners":     {func(r *role) { r.OwnerReferences = []metav1.OwnerReference{{Name: "x"}} }, true},
		"finalizers": {func(r *role) { r.Finalizers = []string{"a/b"} }, true},
		"labels":     {func(r *role) { r.Labels = map[string]string{"aggregate": "true"} }, false},
		"rules":      {func(r *role) { r.Rules[0].Verbs = []string{"*"} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			obj := stored()
			c.change(obj)
			if got := onlyOwners(obj, stored()); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestSubjectsInTables(t *testing.T) {
	all := []rbacv1.Subject{{Kind: "User", Name: "u1"}, {Kind: "ServiceAccount", Namespace: "ns", Name: "sa"}, {Kind: "User", Name: "u2"}, {Kind: "Group", Name: "g"}}
	for kind, want := range map[string]string{"User": "u1, u2", "Group": "g", "ServiceAccount": "ns/sa"} {
		if got := names(all, kind); got != want {
			t.Errorf("%s: got %q, want %q", kind, got, want)
		}
	}
}
