package policy

import (
	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
)

// compact is a policy in the form of policy.json.
type compact struct {
	ClusterRoles, Roles               []role
	ClusterRoleBindings, RoleBindings []binding
}

// own is what upstream's installers make, not its API server: who may join as a node, what a node's proxy may see, who may see metrics.
func own() compact {
	const csr = "system:certificates.k8s.io:certificatesigningrequests:"
	joining, nodes, controller := "Group "+bootstrap.Group, "Group system:nodes", "ServiceAccount kube-system/certificate-controller"
	signers := func(verb string, names ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{Verbs: []string{verb}, APIGroups: []string{"certificates.k8s.io"}, Resources: []string{"signers"}, ResourceNames: names}
	}
	return compact{
		ClusterRoles: []role{
			// Upstream leaves the approval of kubelets' serving certificates to the platform.
			{Name: "coracle:approve-kubelet-serving", Rules: []rbacv1.PolicyRule{signers("approve", certificatesv1.KubeletServingSignerName)}},
			// metrics-server's manifest has it, for its users.
			{Name: "system:aggregated-metrics-reader", AggregateTo: "view edit admin", Rules: []rbacv1.PolicyRule{
				{Verbs: []string{"get", "list", "watch"}, APIGroups: []string{"metrics.k8s.io"}, Resources: []string{"nodes", "pods"}},
			}},
			// What it has nodes do are requests to make and to delete volumes.
			{Name: "coracle:local-storage", Rules: []rbacv1.PolicyRule{
				{Verbs: []string{"get", "list", "watch", "update"}, APIGroups: []string{""}, Resources: []string{"persistentvolumeclaims"}},
				{Verbs: []string{"update"}, APIGroups: []string{""}, Resources: []string{"persistentvolumeclaims/status"}},
				{Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete"}, APIGroups: []string{""}, Resources: []string{"persistentvolumes"}},
				{Verbs: []string{"get", "list", "watch"}, APIGroups: []string{""}, Resources: []string{"nodes", "pods"}},
				{Verbs: []string{"get", "list", "watch", "create"}, APIGroups: []string{"storage.k8s.io"}, Resources: []string{"storageclasses"}},
				{Verbs: []string{"update"}, APIGroups: []string{""}, Resources: []string{"namespaces"}, ResourceNames: []string{metav1.NamespaceSystem}},
				{Verbs: []string{"update", "delete"}, APIGroups: []string{""}, Resources: []string{"nodes/proxy"}},
				{Verbs: []string{"create", "patch", "update"}, APIGroups: []string{"", "events.k8s.io"}, Resources: []string{"events"}},
			}},
			{Name: "coracle:issue-node-proxy", Rules: []rbacv1.PolicyRule{signers("approve", bootstrap.ProxySigner), signers("sign", bootstrap.ProxySigner)}},
		},
		ClusterRoleBindings: []binding{
			{Name: "coracle:approve-kubelet-serving", Role: "coracle:approve-kubelet-serving", Subjects: []string{controller}},
			{Name: "coracle:issue-node-proxy", Role: "coracle:issue-node-proxy", Subjects: []string{controller}},
			{Name: "coracle:kubelet-bootstrap", Role: "system:node-bootstrapper", Subjects: []string{joining}},
			{Name: "coracle:node-autoapprove-bootstrap", Role: csr + "nodeclient", Subjects: []string{joining}},
			{Name: "coracle:node-autoapprove-certificate-rotation", Role: csr + "selfnodeclient", Subjects: []string{nodes}},
			{Name: "coracle:local-storage", Role: "coracle:local-storage", Subjects: []string{"ServiceAccount kube-system/local-storage-controller"}},
			{Name: "coracle:node-proxies", Role: "system:node-proxier", Subjects: []string{"Group " + bootstrap.ProxyGroup}},
		},
		Roles: []role{
			{Name: "coracle:cluster", Namespace: metav1.NamespaceSystem, Rules: []rbacv1.PolicyRule{
				{Verbs: []string{"get", "list", "watch"}, APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{bootstrap.ConfigMapName}},
			}},
			// Uses of tokens are counted in their Secrets, whose names cannot be told beforehand.
			{Name: "coracle:count-token-uses", Namespace: metav1.NamespaceSystem, Rules: []rbacv1.PolicyRule{
				{Verbs: []string{"update"}, APIGroups: []string{""}, Resources: []string{"secrets"}},
			}},
		},
		RoleBindings: []binding{
			{Name: "coracle:cluster", Namespace: metav1.NamespaceSystem, Role: "coracle:cluster", Subjects: []string{nodes}},
			{Name: "coracle:count-token-uses", Namespace: metav1.NamespaceSystem, Role: "coracle:count-token-uses", Subjects: []string{controller}},
		},
	}
}
