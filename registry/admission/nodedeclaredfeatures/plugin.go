// Package nodedeclaredfeatures (NodeDeclaredFeatureValidator) refuses updates of a Pod that its node cannot carry out: those that
// need a feature which the node does not declare. See KEP-5328.
package nodedeclaredfeatures

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/component-helpers/nodedeclaredfeatures"

	"github.com/coracle-k8s/coracle/registry/admission/plugin"
)

// New makes the plugin for a server of the version, which says what nodes need no longer declare.
func New(factory informers.SharedInformerFactory, serves *version.Version) admission.Interface {
	nodes := factory.Core().V1().Nodes()
	lister := nodes.Lister()
	return plugin.Validating(plugin.On{
		Operations: []admission.Operation{admission.Update}, Resources: []string{"pods", "pods/resize"},
		Synced: []cache.InformerSynced{nodes.Informer().HasSynced},
	}, func(_ context.Context, a admission.Attributes) error {
		pod, err := plugin.Object[*corev1.Pod](a)
		if err != nil {
			return err
		}
		old, err := plugin.Old[*corev1.Pod](a)
		if err != nil || pod.Spec.NodeName == "" || pod.Generation == old.Generation {
			return err
		}
		needed, err := nodedeclaredfeatures.DefaultFramework.InferForPodUpdate(info(old), info(pod), serves)
		if err != nil || needed.IsEmpty() {
			return err
		}
		node, err := lister.Get(pod.Spec.NodeName)
		if err != nil {
			return admission.NewForbidden(a, fmt.Errorf("looking up node %q: %w", pod.Spec.NodeName, err))
		}
		match, err := nodedeclaredfeatures.DefaultFramework.MatchNode(needed, node)
		if err != nil {
			return err
		}
		if !match.IsMatch {
			return admission.NewForbidden(a, fmt.Errorf("pod update requires features %s which are not available on node %q", strings.Join(match.UnsatisfiedRequirements, ", "), node.Name))
		}
		return nil
	})
}

func info(pod *corev1.Pod) *nodedeclaredfeatures.PodInfo {
	return &nodedeclaredfeatures.PodInfo{Spec: &pod.Spec, Status: &pod.Status}
}
