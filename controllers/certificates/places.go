package certificates

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
)

// places are names and addresses that are not for nodes to have.
type places struct {
	// reserved are servers'; names may begin with *. as those of certificates.
	reserved []string
	// domain ends the names of Services.
	domain string
}

// with adds further reserved ones.
func (p places) with(reserved []string) places {
	p.reserved = slices.Concat(p.reserved, reserved)
	return p
}

// isServer reports whether a name or address is a server's.
func (p places) isServer(host string) bool {
	return slices.ContainsFunc(p.reserved, func(reserved string) bool { return matches(reserved, host) })
}

// matches compares names as clients compare them with those of certificates: a * is one label.
func matches(pattern, host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.Equal(net.ParseIP(pattern))
	}
	pattern, host = strings.ToLower(strings.TrimSuffix(pattern, ".")), strings.ToLower(strings.TrimSuffix(host, "."))
	if domain, wild := strings.CutPrefix(pattern, "*."); wild {
		_, rest, _ := strings.Cut(host, ".")
		return rest == domain || host == pattern
	}
	return host == pattern
}

// isService reports whether a name is one by which Pods reach Services or the API server, or their own machine.
func (p places) isService(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	first, _, _ := strings.Cut(host, ".")
	ends := func(suffix string) bool { return host == suffix || strings.HasSuffix(host, "."+suffix) }
	return first == "kubernetes" || ends("svc") || ends("localhost") || p.domain != "" && (ends("svc."+p.domain) || ends("pod."+p.domain))
}

// servers are those that have told what is theirs.
func (r *controller) servers(ctx context.Context) (bootstrap.Servers, error) {
	var told corev1.ConfigMap
	err := r.client.Get(ctx, types.NamespacedName{Namespace: metav1.NamespaceSystem, Name: bootstrap.ServersName}, &told)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("asking which servers there are: %w", err)
	}
	return bootstrap.ServersOf(told.Data)
}
