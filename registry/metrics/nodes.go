package metrics

import (
	"cmp"
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1"
)

// nodeMetrics are made when they are read.
type nodeMetrics struct{ Config }

func (n *nodeMetrics) New() runtime.Object     { return &metricsv1.NodeMetrics{} }
func (n *nodeMetrics) NewList() runtime.Object { return &metricsv1.NodeMetricsList{} }
func (n *nodeMetrics) Destroy()                {}
func (n *nodeMetrics) NamespaceScoped() bool   { return false }
func (n *nodeMetrics) GetSingularName() string { return "" } // as metrics-server: node is a Node

func (n *nodeMetrics) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	node, err := n.Nodes.Get(name)
	if err != nil {
		return nil, err
	}
	found := n.of(ctx, []*corev1.Node{node})
	if len(found) == 0 {
		return nil, apierrors.NewNotFound(metricsv1.Resource("nodes"), name)
	}
	return &found[0], nil
}

func (n *nodeMetrics) List(ctx context.Context, options *internalversion.ListOptions) (runtime.Object, error) {
	nodes, err := n.Nodes.List(labelSelector(options))
	if err != nil {
		return nil, err
	}
	nodes = slices.DeleteFunc(slices.Clone(nodes), func(node *corev1.Node) bool { return !named(options, node) })
	return &metricsv1.NodeMetricsList{Items: n.of(ctx, nodes)}, nil
}

// of leaves out nodes of which it is not known.
func (n *nodeMetrics) of(ctx context.Context, nodes []*corev1.Node) []metricsv1.NodeMetrics {
	figures, all := n.Figures.Of(ctx, nodes), []metricsv1.NodeMetrics{}
	for _, node := range nodes {
		f := figures[node.Name]
		if f == nil || f.Node == nil {
			continue
		}
		all = append(all, metricsv1.NodeMetrics{
			ObjectMeta: metav1.ObjectMeta{Name: node.Name, Labels: maps.Clone(node.Labels), CreationTimestamp: metav1.Now()},
			Timestamp:  metav1.NewTime(f.Node.At), Window: window(f.Node.Window), Usage: usage(f.Node),
		})
	}
	slices.SortFunc(all, func(a, b metricsv1.NodeMetrics) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func (n *nodeMetrics) ConvertToTable(_ context.Context, obj, options runtime.Object) (*metav1.Table, error) {
	return table(obj, options, func(o runtime.Object) *row {
		m, ok := o.(*metricsv1.NodeMetrics)
		if !ok {
			return nil
		}
		return &row{m.Name, m.Usage, m.Window}
	})
}

func labelSelector(o *internalversion.ListOptions) labels.Selector {
	if o == nil || o.LabelSelector == nil {
		return labels.Everything()
	}
	return o.LabelSelector
}

// named reports whether the object is of those that the options name.
func named(o *internalversion.ListOptions, obj metav1.Object) bool {
	return o == nil || o.FieldSelector == nil ||
		o.FieldSelector.Matches(fields.Set{"metadata.name": obj.GetName(), "metadata.namespace": obj.GetNamespace()})
}
