package certificates

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

// approveServing approves the serving certificate of a kubelet that asks for its own Node's name and addresses. Upstream leaves
// this to people or to the platform: https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/.
func (r *controller) approveServing(ctx context.Context, csr *request) (done bool, err error) {
	parsed, err := parse(csr)
	if err != nil || checkKubeletServing(parsed, csr.Spec.Usages) != nil {
		return false, err
	}
	var nodes corev1.NodeList
	if err := r.client.List(ctx, &nodes); err != nil {
		return false, fmt.Errorf("listing nodes: %w", err)
	}
	if doubt(csr, parsed, nodes.Items, r.reserved) != "" {
		return false, nil
	}
	return true, r.writeApproval(ctx, csr, "The kubelet asks for its own node's name and addresses.")
}

// doubt says why somebody has to be asked whether a node may have a serving certificate, or nothing. A node says itself what
// its addresses are: what is also another's, or the API server's, is not taken on its word.
func doubt(csr *request, asked *x509.CertificateRequest, nodes []corev1.Node, reserved []string) string {
	name, _ := strings.CutPrefix(csr.Spec.Username, "system:node:")
	switch {
	case csr.Spec.Username != asked.Subject.CommonName || !slices.Contains(csr.Spec.Groups, "system:nodes"):
		return "it is not asked for by the node itself"
	case slices.ContainsFunc(asked.DNSNames, func(host string) bool { return host != name }):
		return "a name is not the node's"
	case slices.ContainsFunc(asked.DNSNames, func(host string) bool { return slices.Contains(reserved, host) }):
		return "a name is the API server's"
	}
	for _, ip := range asked.IPAddresses {
		if ip.IsUnspecified() || ip.IsLoopback() || ip.IsMulticast() || slices.Contains(reserved, ip.String()) {
			return "an address is not one that nodes have"
		}
		if owners := owners(ip, nodes); !slices.Equal(owners, []string{name}) {
			return "an address is not the node's alone"
		}
	}
	return ""
}

// owners are the nodes that have an address.
func owners(ip net.IP, nodes []corev1.Node) (names []string) {
	for i := range nodes {
		has := func(a corev1.NodeAddress) bool {
			return (a.Type == corev1.NodeInternalIP || a.Type == corev1.NodeExternalIP) && ip.Equal(net.ParseIP(a.Address))
		}
		if slices.ContainsFunc(nodes[i].Status.Addresses, has) {
			names = append(names, nodes[i].Name)
		}
	}
	return names
}

// waiting are the requests for serving certificates that changes of Nodes may decide: a node may have asked before it said what
// its addresses are, or while another had them.
func (r *controller) waiting(ctx context.Context, _ client.Object) (requests []reconcile.Request) {
	var all certificatesv1.CertificateSigningRequestList
	if err := r.client.List(ctx, &all); err != nil {
		return nil // the cache has stopped
	}
	for i := range all.Items {
		csr := &all.Items[i]
		if csr.Spec.SignerName == certificatesv1.KubeletServingSignerName && len(csr.Status.Conditions) == 0 {
			requests = append(requests, loop.Request("", csr.Name))
		}
	}
	return requests
}
