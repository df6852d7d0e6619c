package policy

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
)

// compact is a policy in the form of policy.json.
type compact struct {
	ClusterRoles, Roles               []role
	ClusterRoleBindings, RoleBindings []binding
}

// own is what upstream's installers make, not its API server: who may join as a node, and that the proxy and DNS of a machine
// act as its node.
func own() compact {
	const csr = "system:certificates.k8s.io:certificatesigningrequests:"
	joining, nodes := "Group "+bootstrap.Group, "Group system:nodes"
	return compact{
		ClusterRoles: []role{
			// Who joins asks whether its name is taken.
			{Name: "coracle:get-nodes", Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"nodes"}}}},
			// Upstream leaves the approval of kubelets' serving certificates to the platform.
			{Name: "coracle:approve-kubelet-serving", Rules: []rbacv1.PolicyRule{
				{Verbs: []string{"approve"}, APIGroups: []string{"certificates.k8s.io"}, Resources: []string{"signers"}, ResourceNames: []string{"kubernetes.io/kubelet-serving"}},
			}},
		},
		ClusterRoleBindings: []binding{
			{Name: "coracle:approve-kubelet-serving", Role: "coracle:approve-kubelet-serving", Subjects: []string{"ServiceAccount kube-system/certificate-controller"}},
			{Name: "coracle:get-nodes", Role: "coracle:get-nodes", Subjects: []string{joining}},
			{Name: "coracle:kubelet-bootstrap", Role: "system:node-bootstrapper", Subjects: []string{joining}},
			{Name: "coracle:node-autoapprove-bootstrap", Role: csr + "nodeclient", Subjects: []string{joining}},
			{Name: "coracle:node-autoapprove-certificate-rotation", Role: csr + "selfnodeclient", Subjects: []string{nodes}},
			{Name: "coracle:node-proxier", Role: "system:node-proxier", Subjects: []string{nodes}},
		},
		Roles: []role{
			{Name: "coracle:cluster", Namespace: metav1.NamespaceSystem, Rules: []rbacv1.PolicyRule{
				{Verbs: []string{"get", "list", "watch"}, APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{bootstrap.ConfigMapName}},
			}},
		},
		RoleBindings: []binding{
			{Name: "coracle:cluster", Namespace: metav1.NamespaceSystem, Role: "coracle:cluster", Subjects: []string{nodes}},
		},
	}
}
