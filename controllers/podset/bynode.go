package podset

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/coracle-k8s/coracle/apis/core"
)

// byNode is named as the field selector of the same meaning. Under finished stand the Pods that have ended.
const (
	byNode   = "spec.nodeName"
	finished = "finished"
)

// AddIndexes indexes Pods by Node, and those that have ended. Call once for each manager, before any informer is started.
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
	err = indexer.IndexField(ctx, &corev1.Pod{}, finished, func(o client.Object) []string {
		if core.PodTerminal(o.(*corev1.Pod)) {
			return []string{finished}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("indexing pods that have ended: %w", err)
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

// Finished returns the Pods that have ended. They are shared: read only.
func Finished(ctx context.Context, c client.Reader) ([]*corev1.Pod, error) {
	var list corev1.PodList
	if err := c.List(ctx, &list, client.MatchingFields{finished: finished}); err != nil {
		return nil, fmt.Errorf("listing pods that have ended: %w", err)
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
