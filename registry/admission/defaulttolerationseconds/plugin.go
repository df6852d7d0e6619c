// Package defaulttolerationseconds lets Pods stay on a node that is not ready or unreachable for five minutes, unless they
// say otherwise.
package defaulttolerationseconds

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/admission"

	"github.com/coracle-k8s/coracle/registry/admission/plugin"
)

const seconds = 300

// New makes the plugin.
func New() admission.Interface {
	return plugin.Mutating(plugin.On{
		Operations: []admission.Operation{admission.Create, admission.Update}, Resources: []string{"pods"},
	}, func(_ context.Context, a admission.Attributes) error {
		pod, err := plugin.Object[*corev1.Pod](a)
		if err != nil {
			return err
		}
		pod.Spec.Tolerations = tolerate(pod.Spec.Tolerations)
		return nil
	})
}

func tolerate(tolerations []corev1.Toleration) []corev1.Toleration {
	given := tolerations
	for _, taint := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		if !slices.ContainsFunc(given, func(t corev1.Toleration) bool {
			return (t.Key == taint || t.Key == "") && (t.Effect == corev1.TaintEffectNoExecute || t.Effect == "")
		}) {
			tolerations = append(tolerations, corev1.Toleration{
				Key: taint, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(seconds)),
			})
		}
	}
	return tolerations
}
