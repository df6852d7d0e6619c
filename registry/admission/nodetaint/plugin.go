// Package nodetaint (TaintNodesByCondition) keeps Pods from new nodes until these are ready.
package nodetaint

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/admission"

	"github.com/coracle-k8s/coracle/registry/admission/plugin"
)

// New makes the plugin.
func New() admission.Interface {
	return plugin.Mutating(plugin.On{
		Operations: []admission.Operation{admission.Create}, Resources: []string{"nodes"},
	}, func(_ context.Context, a admission.Attributes) error {
		node, err := plugin.Object[*corev1.Node](a)
		if err != nil {
			return err
		}
		notReady := corev1.Taint{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoSchedule}
		if !slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.MatchTaint(&notReady) }) {
			node.Spec.Taints = append(node.Spec.Taints, notReady)
		}
		return nil
	})
}
