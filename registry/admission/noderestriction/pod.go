package noderestriction

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/admission"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/admission/plugin"
)

// pod lets a node mirror its static Pods, delete and evict its Pods, and report their status.
func (r restriction) pod(node string, a admission.Attributes) error {
	switch a.GetSubresource() + ":" + string(a.GetOperation()) {
	case ":CREATE":
		return r.createPod(node, a)
	case ":DELETE":
		return r.onNode(node, a, a.GetName(), "node %q can only delete pods with spec.nodeName set to itself")
	case "status:UPDATE":
		return podStatus(node, a)
	case "eviction:CREATE":
		eviction, err := plugin.Object[*policyv1.Eviction](a)
		if err != nil {
			return err
		}
		name := a.GetName()
		if name == "" {
			name = eviction.Name
		}
		return r.onNode(node, a, name, "node %s can only evict pods with spec.nodeName set to itself")
	}
	switch a.GetSubresource() {
	case "":
		return admission.NewForbidden(a, fmt.Errorf("unexpected operation %q, node %q can only create and delete mirror pods", a.GetOperation(), node))
	case "status", "eviction":
		return admission.NewForbidden(a, fmt.Errorf("unexpected operation %q", a.GetOperation()))
	}
	return admission.NewForbidden(a, fmt.Errorf("unexpected pod subresource %q, only 'status' and 'eviction' are allowed", a.GetSubresource()))
}

func (r restriction) onNode(node string, a admission.Attributes, name, otherwise string) error {
	pod, err := r.pods.Pods(a.GetNamespace()).Get(name)
	switch {
	case apierrors.IsNotFound(err):
		return err
	case err != nil:
		return admission.NewForbidden(a, err)
	case pod.Spec.NodeName != node:
		return admission.NewForbidden(a, fmt.Errorf(otherwise, node))
	}
	return nil
}

func (r restriction) createPod(name string, a admission.Attributes) error {
	pod, err := plugin.Object[*corev1.Pod](a)
	if err != nil {
		return err
	}
	if err := checkMirror(name, pod); err != nil {
		return admission.NewForbidden(a, err)
	}
	node, err := r.nodes.Get(name)
	switch uid := pod.OwnerReferences[0].UID; {
	case apierrors.IsNotFound(err):
		return err
	case err != nil:
		return admission.NewForbidden(a, fmt.Errorf("error looking up node %s to verify uid: %w", name, err))
	case uid != node.UID:
		return admission.NewForbidden(a, fmt.Errorf("node %s UID mismatch: expected %s got %s", name, uid, node.UID))
	}
	if kind := core.ReferenceKind(pod); kind != "" {
		return admission.NewForbidden(a, fmt.Errorf("node %q can not create pods that reference %s", name, kind))
	}
	return nil
}

// checkMirror allows images of static Pods, owned by the node.
func checkMirror(node string, pod *corev1.Pod) error {
	if !core.IsMirror(pod) {
		return fmt.Errorf("pod does not have %q annotation, node %q can only create mirror pods", corev1.MirrorPodAnnotationKey, node)
	}
	if pod.Spec.NodeName != node {
		return fmt.Errorf("node %q can only create pods with spec.nodeName set to itself", node)
	}
	if len(pod.OwnerReferences) > 1 {
		return fmt.Errorf("node %q can only create pods with a single owner reference set to itself", node)
	}
	if len(pod.OwnerReferences) == 0 {
		return fmt.Errorf("node %q can only create pods with an owner reference set to itself", node)
	}
	switch owner := pod.OwnerReferences[0]; {
	case owner.APIVersion != "v1" || owner.Kind != "Node" || owner.Name != node:
		return fmt.Errorf("node %q can only create pods with an owner reference set to itself", node)
	case owner.Controller == nil || !*owner.Controller:
		return fmt.Errorf("node %q can only create pods with a controller owner reference set to itself", node)
	case owner.BlockOwnerDeletion != nil && *owner.BlockOwnerDeletion:
		return fmt.Errorf("node %q must not set blockOwnerDeletion on an owner reference", node)
	}
	return nil
}

func podStatus(node string, a admission.Attributes) error {
	pod, err := plugin.Object[*corev1.Pod](a)
	if err != nil {
		return err
	}
	old, err := plugin.Old[*corev1.Pod](a)
	if err != nil {
		return err
	}
	switch equal := equality.Semantic.DeepEqual; {
	case old.Spec.NodeName != node:
		err = fmt.Errorf("node %q can only update pod status for pods with spec.nodeName set to itself", node)
	case !equal(old.Labels, pod.Labels):
		err = fmt.Errorf("node %q cannot update labels through pod status", node)
	case !equal(old.Status.ResourceClaimStatuses, pod.Status.ResourceClaimStatuses):
		err = fmt.Errorf("node %q cannot update resource claim statues", node) // as upstream has it
	case !equal(old.Status.ExtendedResourceClaimStatus, pod.Status.ExtendedResourceClaimStatus):
		err = fmt.Errorf("node %q cannot update extended resource claim status", node)
	case !equal(old.Status.NodeAllocatableResourceClaimStatuses, pod.Status.NodeAllocatableResourceClaimStatuses):
		err = fmt.Errorf("node %q cannot update node allocatable resource claim statuses", node)
	default:
		return nil
	}
	return admission.NewForbidden(a, err)
}
