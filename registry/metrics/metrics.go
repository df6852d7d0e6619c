// Package metrics serves metrics.k8s.io: what nodes and Pods use now. Nothing of it is stored, and nothing runs while nobody asks: a
// request makes the server ask the kubelets that it concerns.
//
// https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/
//
// Kubelets are asked for /metrics/resource, not for their summary, as metrics-server does: it has times in milliseconds, the
// summary in seconds, and what is used between two readings of a second's distance cannot be told from those.
package metrics

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/rest"
	corelisters "k8s.io/client-go/listers/core/v1"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/coracle-k8s/coracle/registry/resource"
)

// Figures tell what nodes, and what runs on them, use.
type Figures interface {
	// Of answers for the nodes of which it is known, by their names. It takes bounded time, whatever the nodes do.
	Of(ctx context.Context, nodes []*corev1.Node) map[string]*Figure
}

// Config is what the endpoints need.
type Config struct {
	Figures Figures
	// Pods and Nodes are those that are answered for. The server has them for its own sake, so that a question costs no list.
	Pods  corelisters.PodLister
	Nodes corelisters.NodeLister
}

// Endpoints serve nodes and pods in both versions.
func Endpoints(c Config) resource.Storage {
	all := resource.Storage{}
	for _, gv := range []schema.GroupVersion{metricsv1.SchemeGroupVersion, metricsv1beta1.SchemeGroupVersion} {
		all[gv] = map[string]rest.Storage{"nodes": &nodeMetrics{c}, "pods": &podMetrics{c}}
	}
	return all
}
