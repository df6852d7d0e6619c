// Package podresize (PodResizeValidator) refuses to resize running Pods beyond what their node has.
package podresize

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/component-helpers/resource"

	"github.com/coracle-k8s/coracle/registry/admission/plugin"
)

const (
	unsupportedPlatform metav1.CauseType = "UnsupportedPlatform"
	nodeCapacity        metav1.CauseType = "NodeCapacity"
)

// New makes the plugin.
func New(factory informers.SharedInformerFactory) admission.Interface {
	nodes := factory.Core().V1().Nodes()
	lister := nodes.Lister()
	return plugin.Validating(plugin.On{
		Operations: []admission.Operation{admission.Update}, Resources: []string{"pods/resize"},
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
		node, err := lister.Get(pod.Spec.NodeName)
		if err != nil {
			return admission.NewForbidden(a, fmt.Errorf("looking up node %q: %w", pod.Spec.NodeName, err))
		}
		if cause, err := check(pod, node); err != nil {
			return withCause(admission.NewForbidden(a, err), cause)
		}
		return nil
	})
}

func check(pod *corev1.Pod, node *corev1.Node) (metav1.CauseType, error) {
	if os, found := node.Labels[corev1.LabelOSStable]; found && os != "linux" {
		return unsupportedPlatform, fmt.Errorf("pod resize is only supported on linux nodes, node %q is %q", node.Name, os)
	}
	requests := resource.PodRequests(pod, resource.PodResourcesOptions{})
	var exceeded []string
	if r, has := requests.Cpu(), node.Status.Allocatable.Cpu(); r.Cmp(*has) > 0 {
		exceeded = append(exceeded, fmt.Sprintf("cpu, requested: %d, allocatable: %d", r.MilliValue(), has.MilliValue()))
	}
	if r, has := requests.Memory(), node.Status.Allocatable.Memory(); r.Cmp(*has) > 0 {
		exceeded = append(exceeded, fmt.Sprintf("memory, requested: %d, allocatable: %d", r.Value(), has.Value()))
	}
	if len(exceeded) > 0 {
		return nodeCapacity, fmt.Errorf("node didn't have enough allocatable resources: %s", strings.Join(exceeded, "; "))
	}
	return "", nil
}

func withCause(err error, cause metav1.CauseType) error {
	if status, ok := errors.AsType[*apierrors.StatusError](err); ok {
		status.ErrStatus.Details.Causes = append(status.ErrStatus.Details.Causes, metav1.StatusCause{Type: cause})
	}
	return err
}
