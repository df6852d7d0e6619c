package certificates

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

// patience is how long a node that has just begun may take to say what its addresses are, before its request is told to be in doubt.
const patience = 15 * time.Second

// approveServing approves the serving certificate of a kubelet that asks for its own Node's name and addresses. Upstream leaves
// this to people or to the platform: https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/.
func (r *controller) approveServing(ctx context.Context, csr *request) (verdict, error) {
	parsed, err := parse(csr)
	if err != nil || checkKubeletServing(parsed, csr.Spec.Usages) != nil {
		return verdict{}, err
	}
	var nodes corev1.NodeList
	if err := r.client.List(ctx, &nodes); err != nil {
		return verdict{}, fmt.Errorf("listing nodes: %w", err)
	}
	servers, err := r.servers(ctx)
	if err != nil {
		return verdict{}, err
	}
	why := doubt(csr, parsed, nodes.Items, r.places.with(servers.Hosts()))
	if why == "" {
		return r.writeApproval(ctx, csr, "The kubelet asks for its own node's name and addresses.")
	}
	if left := patience - r.now().Sub(csr.CreationTimestamp.Time); left > 0 {
		return verdict{again: left}, nil
	}
	r.doubts.tell(csr, why)
	return verdict{}, nil
}

// doubt says why somebody has to be asked whether a node may have a serving certificate, or nothing. A node says itself what
// its name and its addresses are: what is also another's, a server's or a Service's is not taken on its word.
func doubt(csr *request, asked *x509.CertificateRequest, nodes []corev1.Node, others places) string {
	name := nodeOf(csr.Spec.Username)
	if csr.Spec.Username != asked.Subject.CommonName || !askedByNode(csr) {
		return "it is not asked for by the node itself"
	}
	if !slices.ContainsFunc(nodes, func(n corev1.Node) bool { return n.Name == name }) {
		return fmt.Sprintf("there is no node %s", name)
	}
	for _, host := range asked.DNSNames {
		switch {
		case host != name:
			return fmt.Sprintf("the name %s is not the node's", host)
		case others.isServer(host):
			return fmt.Sprintf("the name %s is a server's", host)
		case others.isService(host):
			return fmt.Sprintf("the name %s may be a Service's", host)
		}
	}
	if len(asked.IPAddresses) == 0 {
		return "no address of the node is asked for"
	}
	for _, ip := range asked.IPAddresses {
		switch {
		case ip.IsUnspecified() || ip.IsLoopback() || ip.IsMulticast():
			return fmt.Sprintf("%s is not an address that nodes have", ip)
		case others.isServer(ip.String()):
			return fmt.Sprintf("the address %s is a server's", ip)
		case !slices.Equal(owners(ip, nodes), []string{name}):
			return fmt.Sprintf("the address %s is not the node's alone, by what Nodes say", ip)
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

// nodeChanged are the requests for serving certificates that changes of Nodes may decide: a node may have asked before it said what
// its addresses are, or while another had them.
func (r *controller) nodeChanged(ctx context.Context, node client.Object) (requests []reconcile.Request) {
	r.joining.arrived(node.GetName())
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
