package rbac

import (
	"context"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
)

// stored builds RBAC on informers that hold the objects.
func stored(t testing.TB, objects ...runtime.Object) *RBAC {
	t.Helper()
	factory := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
	r, err := New(factory)
	if err != nil {
		t.Fatal(err)
	}
	v1 := factory.Rbac().V1()
	for _, obj := range objects {
		var err error
		switch obj.(type) {
		case *rbacv1.ClusterRole:
			err = v1.ClusterRoles().Informer().GetIndexer().Add(obj)
		case *rbacv1.Role:
			err = v1.Roles().Informer().GetIndexer().Add(obj)
		case *rbacv1.ClusterRoleBinding:
			err = v1.ClusterRoleBindings().Informer().GetIndexer().Add(obj)
		case *rbacv1.RoleBinding:
			err = v1.RoleBindings().Informer().GetIndexer().Add(obj)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func meta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

func policy() []runtime.Object {
	pods := []rbacv1.PolicyRule{{Verbs: []string{"get", "list"}, APIGroups: []string{""}, Resources: []string{"pods", "pods/log"}}}
	return []runtime.Object{
		&rbacv1.ClusterRole{ObjectMeta: meta("", "pods"), Rules: pods},
		&rbacv1.ClusterRole{ObjectMeta: meta("", "health"), Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, NonResourceURLs: []string{"/healthz", "/metrics/*"}}}},
		&rbacv1.Role{ObjectMeta: meta("a", "one-config"), Rules: []rbacv1.PolicyRule{
			{Verbs: []string{"*"}, APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"one"}}}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: meta("", "readers"), RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "pods"},
			Subjects: []rbacv1.Subject{{Kind: "Group", Name: "readers"}}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: meta("", "health"), RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "health"},
			Subjects: []rbacv1.Subject{{Kind: "User", Name: "probe"}}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: meta("", "broken"), RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "gone"},
			Subjects: []rbacv1.Subject{{Kind: "User", Name: "jane"}, {Kind: "Group", Name: "readers"}}},
		&rbacv1.RoleBinding{ObjectMeta: meta("a", "local"), RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "pods"},
			Subjects: []rbacv1.Subject{{Kind: "User", Name: "jane"}, {Kind: "ServiceAccount", Name: "bot"}}},
		&rbacv1.RoleBinding{ObjectMeta: meta("a", "config"), RoleRef: rbacv1.RoleRef{Kind: "Role", Name: "one-config"},
			Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "b", Name: "bot"}}},
	}
}

func TestAuthorize(t *testing.T) {
	r := stored(t, policy()...)
	for name, test := range map[string]struct {
		user     string
		groups   []string
		verb     string
		resource string // or path
		object   string
		in       string
		want     bool
	}{
		"a user's binding in its namespace":         {user: "jane", verb: "get", resource: "pods", in: "a", want: true},
		"a subresource":                             {user: "jane", verb: "get", resource: "pods/log", in: "a", want: true},
		"another subresource":                       {user: "jane", verb: "get", resource: "pods/exec", in: "a"},
		"another verb":                              {user: "jane", verb: "delete", resource: "pods", in: "a"},
		"another namespace":                         {user: "jane", verb: "get", resource: "pods", in: "b"},
		"all namespaces":                            {user: "jane", verb: "list", resource: "pods"},
		"a group's binding anywhere":                {user: "joe", groups: []string{"readers"}, verb: "list", resource: "pods", want: true},
		"a group's name is no user's":               {user: "readers", verb: "list", resource: "pods"},
		"an account of the binding's namespace":     {user: "system:serviceaccount:a:bot", verb: "get", resource: "pods", in: "a", want: true},
		"an account called alike elsewhere":         {user: "system:serviceaccount:c:bot", verb: "get", resource: "pods", in: "a"},
		"an account of another namespace":           {user: "system:serviceaccount:b:bot", verb: "delete", resource: "configmaps", object: "one", in: "a", want: true},
		"a rule for one object is not for others":   {user: "system:serviceaccount:b:bot", verb: "delete", resource: "configmaps", object: "two", in: "a"},
		"a rule for one object is not for creation": {user: "system:serviceaccount:b:bot", verb: "create", resource: "configmaps", in: "a"},
		"a path":                   {user: "probe", verb: "get", resource: "/healthz", want: true},
		"a path below a prefix":    {user: "probe", verb: "get", resource: "/metrics/slis", want: true},
		"a path that is no prefix": {user: "probe", verb: "get", resource: "/healthz/etcd"},
		"nobody":                   {user: "", verb: "get", resource: "pods", in: "a"},
	} {
		t.Run(name, func(t *testing.T) {
			decision, reason, err := r.Authorize(context.Background(), attributes(test.user, test.groups, test.verb, test.resource, test.object, test.in))
			if (decision == authorizer.DecisionAllow) != test.want || err != nil {
				t.Errorf("decision %v (%s), error %v, want allowed: %v", decision, reason, err, test.want)
			}
			if test.want && !strings.HasPrefix(reason, "RBAC: allowed by ") {
				t.Errorf("reason %q", reason)
			}
		})
	}
}

func attributes(name string, groups []string, verb, resource, object, namespace string) authorizer.AttributesRecord {
	a := authorizer.AttributesRecord{User: &user.DefaultInfo{Name: name, Groups: groups}, Verb: verb, Namespace: namespace, Name: object}
	if strings.HasPrefix(resource, "/") {
		a.Path = resource
		return a
	}
	a.ResourceRequest = true
	a.Resource, a.Subresource, _ = strings.Cut(resource, "/")
	return a
}

func TestReasonIsUpstreams(t *testing.T) {
	r := stored(t, policy()...)
	for who, want := range map[string]string{
		"jane":                        `RBAC: allowed by RoleBinding "local/a" of ClusterRole "pods" to User "jane"`,
		"system:serviceaccount:a:bot": `RBAC: allowed by RoleBinding "local/a" of ClusterRole "pods" to ServiceAccount "bot/a"`,
	} {
		_, reason, _ := r.Authorize(context.Background(), attributes(who, nil, "get", "pods", "", "a"))
		if reason != want {
			t.Errorf("%s: %s, want %s", who, reason, want)
		}
	}
}

func TestMissingRoleIsTold(t *testing.T) {
	_, reason, _ := stored(t, policy()...).Authorize(context.Background(), attributes("jane", nil, "delete", "pods", "", ""))
	if !strings.Contains(reason, `"gone" not found`) {
		t.Errorf("reason %q", reason)
	}
}

func TestAllows(t *testing.T) {
	for name, test := range map[string]struct {
		rule     rbacv1.PolicyRule
		resource string
		want     bool
	}{
		"all":                         {rbacv1.PolicyRule{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}, "pods/exec", true},
		"subresource of all":          {rbacv1.PolicyRule{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"*/scale"}}, "things/scale", true},
		"not all of a subresource":    {rbacv1.PolicyRule{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"*/scale"}}, "things", false},
		"not all that ends alike":     {rbacv1.PolicyRule{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"*/upscale"}}, "things/scale", false},
		"not the parent of all":       {rbacv1.PolicyRule{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods/*"}}, "pods/log", false},
		"not what begins alike":       {rbacv1.PolicyRule{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"podslog"}}, "pods/log", false},
		"another group":               {rbacv1.PolicyRule{Verbs: []string{"get"}, APIGroups: []string{"apps"}, Resources: []string{"pods"}}, "pods", false},
		"a path's rule is no objects": {rbacv1.PolicyRule{Verbs: []string{"*"}, NonResourceURLs: []string{"*"}}, "pods", false},
		"an objects' rule is no path": {rbacv1.PolicyRule{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}, "/metrics", false},
		"all paths":                   {rbacv1.PolicyRule{Verbs: []string{"*"}, NonResourceURLs: []string{"*"}}, "/metrics", true},
	} {
		if got := Allows(attributes("u", nil, "get", test.resource, "", ""), []rbacv1.PolicyRule{test.rule}); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func as(name string, groups []string, namespace string) context.Context {
	ctx := request.WithUser(context.Background(), &user.DefaultInfo{Name: name, Groups: groups})
	ctx = request.WithRequestInfo(ctx, &request.RequestInfo{IsResourceRequest: true, APIGroup: rbacv1.GroupName, Resource: "roles", Namespace: namespace})
	return request.WithNamespace(ctx, namespace)
}

func TestNobodyGrantsMoreThanTheyHold(t *testing.T) {
	r := stored(t, append(policy(),
		&rbacv1.ClusterRole{ObjectMeta: meta("", "binder"), Rules: []rbacv1.PolicyRule{
			{Verbs: []string{"bind"}, APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, ResourceNames: []string{"health"}},
			{Verbs: []string{"escalate"}, APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles"}}}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: meta("", "binder"), RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "binder"},
			Subjects: []rbacv1.Subject{{Kind: "User", Name: "binder"}}})...)
	g := Guard{RBAC: r, Authorizer: r}
	get := []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}
	remove := []rbacv1.PolicyRule{{Verbs: []string{"delete", "get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}
	for name, test := range map[string]struct {
		err error
		ok  bool
	}{
		"what is held":                {g.Role(as("jane", nil, "a"), "r", get, false), true},
		"more":                        {g.Role(as("jane", nil, "a"), "r", remove, false), false},
		"what is held elsewhere":      {g.Role(as("jane", nil, "b"), "r", get, false), false},
		"an aggregated role":          {g.Role(as("jane", nil, "a"), "r", get, true), false},
		"with escalate":               {g.Role(as("binder", nil, "a"), "r", remove, true), true},
		"as a master":                 {g.Role(as("root", []string{"system:masters"}, "a"), "r", remove, true), true},
		"a role whose rules are held": {g.Binding(as("jane", nil, "a"), "b", rbacv1.RoleRef{Kind: "ClusterRole", Name: "pods"}), true},
		"a stronger role":             {g.Binding(as("jane", nil, "a"), "b", rbacv1.RoleRef{Kind: "ClusterRole", Name: "health"}), false},
		"a role with bind":            {g.Binding(as("binder", nil, "a"), "b", rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "health"}), true},
		"another role with bind":      {g.Binding(as("binder", nil, "a"), "b", rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "pods"}), false},
	} {
		if (test.err == nil) != test.ok || !test.ok && !apierrors.IsForbidden(test.err) {
			t.Errorf("%s: %v", name, test.err)
		}
	}
	want := `roles.rbac.authorization.k8s.io "r" is forbidden: user "jane" (groups=[]) is attempting to grant RBAC permissions not currently held:` +
		"\n" + `{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}`
	if err := g.Role(as("jane", nil, "a"), "r", remove, false); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestNoRoleHasNoNamespace(t *testing.T) {
	r := stored(t)
	if err := (Guard{RBAC: r, Authorizer: r}).Binding(as("jane", nil, ""), "b", rbacv1.RoleRef{Kind: "Role", Name: "r"}); !apierrors.IsBadRequest(err) {
		t.Errorf("binding a Role in the whole cluster: %v", err)
	}
}

func BenchmarkAuthorize(b *testing.B) {
	objects := policy()
	for i := range 5000 {
		objects = append(objects, &rbacv1.RoleBinding{ObjectMeta: meta("a", string(rune('a'+i%26))+strings.Repeat("x", i/26)), RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "pods"},
			Subjects: []rbacv1.Subject{{Kind: "User", Name: "other"}}})
	}
	r := stored(b, objects...)
	a := attributes("system:serviceaccount:a:bot", []string{"system:serviceaccounts", "system:authenticated"}, "get", "pods", "", "a")
	b.ReportAllocs()
	for b.Loop() {
		if d, _, _ := r.Authorize(context.Background(), a); d != authorizer.DecisionAllow {
			b.Fatal("refused")
		}
	}
}
