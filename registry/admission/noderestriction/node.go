package noderestriction

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apiserver/pkg/admission"
	kubelet "k8s.io/kubelet/pkg/apis"

	"github.com/coracle-k8s/coracle/registry/admission/plugin"
)

// ownNode lets a node register itself and report on itself, not move itself where other Pods would come to it.
func ownNode(name string, a admission.Attributes) error {
	if a.GetName() != name {
		return admission.NewForbidden(a, fmt.Errorf("node %q is not allowed to modify node %q", name, a.GetName()))
	}
	if a.GetOperation() == admission.Delete {
		return nil
	}
	node, err := plugin.Object[*corev1.Node](a)
	if err != nil {
		return err
	}
	if a.GetOperation() == admission.Create {
		err = checkNew(name, node)
	} else {
		var old *corev1.Node
		if old, err = plugin.Old[*corev1.Node](a); err != nil {
			return err
		}
		err = checkUpdate(name, node, old)
	}
	if err != nil {
		return admission.NewForbidden(a, err)
	}
	return nil
}

func checkNew(name string, node *corev1.Node) error {
	if node.Spec.ConfigSource != nil {
		return fmt.Errorf("node %q is not allowed to create pods with a non-nil configSource", name)
	}
	if forbidden := forbiddenLabels(node.Labels, nil); len(forbidden) > 0 {
		return fmt.Errorf("node %q is not allowed to set the following labels: %s", name, strings.Join(forbidden, ", "))
	}
	return nil
}

func checkUpdate(name string, node, old *corev1.Node) error {
	equal := equality.Semantic.DeepEqual
	switch {
	case node.Spec.ConfigSource != nil && !equal(node.Spec.ConfigSource, old.Spec.ConfigSource):
		return fmt.Errorf("node %q is not allowed to update configSource to a new non-nil configSource", name)
	case !equal(node.Spec.Taints, old.Spec.Taints):
		return fmt.Errorf("node %q is not allowed to modify taints", name)
	case !equal(node.OwnerReferences, old.OwnerReferences):
		return fmt.Errorf("node %q is not allowed to modify ownerReferences", name)
	}
	if forbidden := forbiddenLabels(node.Labels, old.Labels); len(forbidden) > 0 {
		return errors.New("is not allowed to modify labels: " + strings.Join(forbidden, ", "))
	}
	return nil
}

// forbiddenLabels are those that differ and are not the node's own: Kubernetes', but for a few, and those kept for
// administrators.
func forbiddenLabels(labels, old map[string]string) []string {
	var forbidden []string
	consider := func(key string) {
		domain, _, qualified := strings.Cut(key, "/")
		if !qualified {
			return
		}
		if in(domain, corev1.LabelNamespaceNodeRestriction) || (in(domain, "kubernetes.io") || in(domain, "k8s.io")) && !kubelet.IsKubeletLabel(key) {
			forbidden = append(forbidden, key)
		}
	}
	for key, value := range labels {
		if before, found := old[key]; !found || before != value {
			consider(key)
		}
	}
	for key := range old {
		if _, found := labels[key]; !found {
			consider(key)
		}
	}
	slices.Sort(forbidden)
	return forbidden
}

func in(domain, parent string) bool { return domain == parent || strings.HasSuffix(domain, "."+parent) }
