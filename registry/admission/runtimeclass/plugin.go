// Package runtimeclass gives Pods the overhead, node selector and tolerations of their runtime class.
// See https://kubernetes.io/docs/concepts/containers/runtime-class/.
package runtimeclass

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/node/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/coracle-k8s/coracle/registry/admission/plugin"
)

type runtimeClass struct {
	classes listers.RuntimeClassLister
	client  kubernetes.Interface
}

// New makes the plugin.
func New(factory informers.SharedInformerFactory, client kubernetes.Interface) admission.Interface {
	classes := factory.Node().V1().RuntimeClasses()
	r := runtimeClass{classes: classes.Lister(), client: client}
	on := plugin.On{
		Operations: []admission.Operation{admission.Create}, Resources: []string{"pods"},
		Synced: []cache.InformerSynced{classes.Informer().HasSynced},
	}
	return plugin.Both(plugin.Mutating(on, r.each(apply)), plugin.Validating(on, r.each(check)))
}

// each finds the Pod's class, nil if it names none, and calls decide.
func (r runtimeClass) each(decide func(*corev1.Pod, *nodev1.RuntimeClass) error) plugin.Func {
	return func(ctx context.Context, a admission.Attributes) error {
		pod, err := plugin.Object[*corev1.Pod](a)
		if err != nil {
			return err
		}
		var class *nodev1.RuntimeClass
		if name := pod.Spec.RuntimeClassName; name != nil && *name != "" { // validation refuses the empty name
			class, err = r.classes.Get(*name)
			if apierrors.IsNotFound(err) { // the informer may be behind
				class, err = r.client.NodeV1().RuntimeClasses().Get(ctx, *name, metav1.GetOptions{})
			}
			if apierrors.IsNotFound(err) {
				return admission.NewForbidden(a, fmt.Errorf("pod rejected: RuntimeClass %q not found", *name))
			}
			if err != nil {
				return err
			}
		}
		if err := decide(pod, class); err != nil {
			return admission.NewForbidden(a, err)
		}
		return nil
	}
}

var errOverhead = errors.New("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")

func apply(pod *corev1.Pod, class *nodev1.RuntimeClass) error {
	if class == nil {
		return nil
	}
	if class.Overhead != nil {
		if len(pod.Spec.Overhead) > 0 && !equality.Semantic.DeepEqual(class.Overhead.PodFixed, pod.Spec.Overhead) {
			return errOverhead
		}
		pod.Spec.Overhead = class.Overhead.PodFixed.DeepCopy()
	}
	if class.Scheduling == nil {
		return nil
	}
	selector := maps.Clone(pod.Spec.NodeSelector)
	for key, value := range class.Scheduling.NodeSelector {
		if own, found := selector[key]; found && own != value {
			return fmt.Errorf("conflict: runtimeClass.scheduling.nodeSelector[%s] = %s; pod.spec.nodeSelector[%s] = %s", key, value, key, own)
		}
		if selector == nil {
			selector = map[string]string{}
		}
		selector[key] = value
	}
	pod.Spec.NodeSelector = selector
	pod.Spec.Tolerations = mergeTolerations(pod.Spec.Tolerations, class.Scheduling.Tolerations)
	return nil
}

// mergeTolerations adds those that the Pod has no equal of, or a wider one.
func mergeTolerations(own, more []corev1.Toleration) []corev1.Toleration {
	all := slices.Concat(own, more)
	var merged []corev1.Toleration
	for i, t := range all {
		if !slices.ContainsFunc(merged, func(m corev1.Toleration) bool { return includes(m, t) }) &&
			!slices.ContainsFunc(all[i+1:], func(later corev1.Toleration) bool {
				return includes(later, t) && !equality.Semantic.DeepEqual(later, t)
			}) {
			merged = append(merged, *t.DeepCopy())
		}
	}
	return merged
}

// includes reports whether what b tolerates is tolerated by a.
func includes(a, b corev1.Toleration) bool {
	switch {
	case equality.Semantic.DeepEqual(a, b):
		return true
	case a.Key != b.Key && !(a.Key == "" && a.Operator == corev1.TolerationOpExists):
		return false
	case a.Effect != "" && a.Effect != b.Effect:
		return false
	case a.Effect == corev1.TaintEffectNoExecute && a.TolerationSeconds != nil && (b.TolerationSeconds == nil || *b.TolerationSeconds > *a.TolerationSeconds):
		return false
	}
	switch a.Operator {
	case corev1.TolerationOpExists:
		return true
	case corev1.TolerationOpEqual, "":
		return (b.Operator == corev1.TolerationOpEqual || b.Operator == "") && a.Value == b.Value
	}
	return false
}

func check(pod *corev1.Pod, class *nodev1.RuntimeClass) error {
	if class == nil || class.Overhead == nil {
		if pod.Spec.Overhead != nil {
			return errors.New("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")
		}
		return nil
	}
	if !equality.Semantic.DeepEqual(class.Overhead.PodFixed, pod.Spec.Overhead) {
		return errOverhead
	}
	return nil
}
