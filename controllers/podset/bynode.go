package podset

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// byNode is named as the field selector of the same meaning.
const byNode = "spec.nodeName"

// AddIndexes indexes Pods by Node. Call once for each manager, before any informer is started.
func AddIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	err := indexer.IndexField(ctx, &corev1.Pod{}, byNode, func(o client.Object) []string {
		if node := o.(*corev1.Pod).Spec.NodeName; node != "" {
			return []string{node}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("indexing pods by node: %w", err)
	}
	return nil
}

// OnNode returns the Pods that are bound to the Node. They are shared: read only.
func OnNode(ctx context.Context, c client.Reader, node string) ([]*corev1.Pod, error) {
	var list corev1.PodList
	if err := c.List(ctx, &list, client.MatchingFields{byNode: node}); err != nil {
		return nil, fmt.Errorf("listing pods of node %s: %w", node, err)
	}
	return Pointers(list.Items), nil
}

// Pointers returns pointers to the items.
func Pointers(items []corev1.Pod) []*corev1.Pod {
	all := make([]*corev1.Pod, len(items))
	for i := range items {
		all[i] = &items[i]
	}
	return all
}
