package authz

import (
	"testing"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/coracle-k8s/coracle/registry/authz/node"
	"github.com/coracle-k8s/coracle/registry/authz/rbac"
)

// Clients and their tests match the reasons of refusals, which name the authorizer as upstream's default configuration does.
func TestRefusalsNameTheAuthorizer(t *testing.T) {
	shared := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
	roles, err := rbac.New(shared)
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := node.New(shared)
	if err != nil {
		t.Fatal(err)
	}
	all, _, err := New(Config{RBAC: roles, Node: nodes})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		a    authorizer.AttributesRecord
		want string
	}{
		{authorizer.AttributesRecord{Verb: "get", Resource: "secrets", Namespace: "ns"}, "node: No Object name found"},
		{
			authorizer.AttributesRecord{Verb: "patch", APIGroup: "storage.k8s.io", Resource: "csinodes", Subresource: "status", Name: "n"},
			"node: CSINode status access requires CSIVolumeHealth feature",
		},
	} {
		c.a.User, c.a.ResourceRequest = &user.DefaultInfo{Name: "system:node:n", Groups: []string{user.NodesGroup}}, true
		if decision, reason, err := all.Authorize(t.Context(), c.a); decision == authorizer.DecisionAllow || reason != c.want || err != nil {
			t.Errorf("%s: got %v, %q, %v, want %q", c.a.Resource, decision, reason, err, c.want)
		}
	}
}
