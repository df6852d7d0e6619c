// Package podtopology (PodTopologyLabels) tells Pods by labels in which zone and region their node is.
package podtopology

import (
	"context"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/informers"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/coracle-k8s/coracle/registry/admission/plugin"
)

// New makes the plugin. The labels of a Binding are those that its Pod gets.
func New(factory informers.SharedInformerFactory) admission.Interface {
	nodes := factory.Core().V1().Nodes()
	lister := nodes.Lister()
	return plugin.Mutating(plugin.On{
		Operations: []admission.Operation{admission.Create}, Resources: []string{"pods", "pods/binding"},
		Synced: []cache.InformerSynced{nodes.Informer().HasSynced},
	}, func(_ context.Context, a admission.Attributes) error {
		if a.GetSubresource() == "binding" {
			binding, err := plugin.Object[*corev1.Binding](a)
			if err != nil || binding.Target.Kind != "Node" {
				return err
			}
			binding.Labels, err = label(binding.Labels, lister, binding.Target.Name)
			return err
		}
		pod, err := plugin.Object[*corev1.Pod](a)
		if err != nil || pod.Spec.NodeName == "" {
			return err
		}
		pod.Labels, err = label(pod.Labels, lister, pod.Spec.NodeName)
		return err
	})
}

// label adds the topology labels of a node; it overwrites others' values. A missing node has none.
func label(labels map[string]string, nodes listers.NodeLister, name string) (map[string]string, error) {
	node, err := nodes.Get(name)
	if apierrors.IsNotFound(err) {
		return labels, nil
	}
	if err != nil {
		return labels, err
	}
	labelled := maps.Clone(labels)
	for _, key := range []string{corev1.LabelTopologyZone, corev1.LabelTopologyRegion} {
		if value, found := node.Labels[key]; found {
			if labelled == nil {
				labelled = map[string]string{}
			}
			labelled[key] = value
		}
	}
	return labelled, nil
}
