package policy

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

type recorded struct {
	ClusterRoles        []*rbacv1.ClusterRole
	ClusterRoleBindings []*rbacv1.ClusterRoleBinding
	Roles               []*rbacv1.Role
	RoleBindings        []*rbacv1.RoleBinding
}

// What upstream has stored after its start.
func recording(t *testing.T) recorded {
	f, err := os.Open("testdata/upstream.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var r recorded
	if err := json.NewDecoder(z).Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPolicyIsUpstreams(t *testing.T) {
	want := recording(t)
	got, err := upstream()
	if err != nil {
		t.Fatal(err)
	}
	same(t, got.ClusterRoles, want.ClusterRoles)
	same(t, got.ClusterRoleBindings, want.ClusterRoleBindings)
	same(t, got.Roles, want.Roles)
	same(t, got.RoleBindings, want.RoleBindings)
}

func same[T metav1.Object](t *testing.T, got, want []T) {
	t.Helper()
	byName := func(a, b T) int {
		return strings.Compare(a.GetNamespace()+"/"+a.GetName(), b.GetNamespace()+"/"+b.GetName())
	}
	slices.SortFunc(got, byName)
	slices.SortFunc(want, byName)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("differs from upstream's (-want +got):\n%s", diff)
	}
}

func TestWhoMaySeeMuchMaySeeMetrics(t *testing.T) {
	p, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, r := range p.ClusterRoles {
		switch r.Name {
		case "view", "edit", "admin":
			seen++
			if !slices.ContainsFunc(r.Rules, func(r rbacv1.PolicyRule) bool { return slices.Equal(r.APIGroups, []string{"metrics.k8s.io"}) }) {
				t.Errorf("%s may not", r.Name)
			}
		}
	}
	if seen != 3 {
		t.Errorf("%d of three roles are there", seen)
	}
}

func TestNodeRulesAreThoseOfSystemNode(t *testing.T) {
	rules, err := NodeRules()
	if err != nil || len(rules) < 20 {
		t.Errorf("%d rules, %v", len(rules), err)
	}
}

func TestEnsure(t *testing.T) {
	ctx := context.Background()
	client := fake.NewClientset()
	if err := Ensure(ctx, client); err != nil {
		t.Fatal(err)
	}
	client.ClearActions()
	if err := Ensure(ctx, client); err != nil {
		t.Fatal(err)
	}
	if actions := writes(client); len(actions) != 0 {
		t.Fatalf("the second time it wrote %v", actions)
	}

	// Somebody takes a rule and a subject away, changes a label, redirects a binding, protects a role, and adds rules.
	edit, _ := client.RbacV1().ClusterRoles().Get(ctx, "system:kube-dns", metav1.GetOptions{})
	edit.Rules = []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{"mine"}, Resources: []string{"things"}}}
	edit.Labels["kubernetes.io/bootstrapping"] = "changed"
	must(t)(client.RbacV1().ClusterRoles().Update(ctx, edit, metav1.UpdateOptions{}))
	binding, _ := client.RbacV1().ClusterRoleBindings().Get(ctx, "system:basic-user", metav1.GetOptions{})
	binding.Subjects = nil
	must(t)(client.RbacV1().ClusterRoleBindings().Update(ctx, binding, metav1.UpdateOptions{}))
	redirected, _ := client.RbacV1().ClusterRoleBindings().Get(ctx, "system:discovery", metav1.GetOptions{})
	redirected.RoleRef.Name = "cluster-admin"
	must(t)(client.RbacV1().ClusterRoleBindings().Update(ctx, redirected, metav1.UpdateOptions{}))
	protectedRole, _ := client.RbacV1().ClusterRoles().Get(ctx, "view", metav1.GetOptions{})
	protectedRole.Rules, protectedRole.Annotations = nil, map[string]string{rbacv1.AutoUpdateAnnotationKey: "false"}
	must(t)(client.RbacV1().ClusterRoles().Update(ctx, protectedRole, metav1.UpdateOptions{}))

	client.ClearActions()
	if err := Ensure(ctx, client); err != nil {
		t.Fatal(err)
	}
	got := writes(client)
	slices.Sort(got)
	want := []string{"create clusterrolebindings", "delete clusterrolebindings", "update clusterrolebindings", "update clusterroles"}
	if !slices.Equal(got, want) {
		t.Errorf("wrote %v, want %v", got, want)
	}
	edit, _ = client.RbacV1().ClusterRoles().Get(ctx, "system:kube-dns", metav1.GetOptions{})
	if len(edit.Rules) < 2 || edit.Rules[0].APIGroups[0] != "mine" || edit.Labels["kubernetes.io/bootstrapping"] != "changed" {
		t.Errorf("rules %v, labels %v: additions must stay", edit.Rules, edit.Labels)
	}
	redirected, _ = client.RbacV1().ClusterRoleBindings().Get(ctx, "system:discovery", metav1.GetOptions{})
	if redirected.RoleRef.Name != "system:discovery" {
		t.Errorf("still bound to %s", redirected.RoleRef.Name)
	}
}

func must(t *testing.T) func(any, error) {
	return func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

func writes(client *fake.Clientset) []string {
	var list []string
	for _, action := range client.Actions() {
		if action.GetVerb() != "list" && action.GetVerb() != "get" {
			list = append(list, action.GetVerb()+" "+action.GetResource().Resource)
		}
	}
	return list
}

func TestCompareLeavesStoredObjectsAlone(t *testing.T) {
	stored := []*rbacv1.Role{{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "r"}}}
	wanted := []*rbacv1.Role{{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "r"}, Rules: []rbacv1.PolicyRule{
		{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}}}
	p := kind[*rbacv1.Role]{merge: mergeRole}.compare(stored, wanted)
	if len(p.update) != 1 || len(p.update[0].Rules) != 1 || stored[0].Rules != nil {
		t.Errorf("plan %+v, stored %+v", p, stored[0])
	}
}

func BenchmarkDefault(b *testing.B) {
	for b.Loop() {
		if _, err := Default(); err != nil {
			b.Fatal(err)
		}
	}
}
