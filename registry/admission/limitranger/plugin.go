// Package limitranger gives containers the default resources of their namespace's LimitRanges, and enforces the limits.
// See https://kubernetes.io/docs/concepts/policy/limit-range/.
package limitranger

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/informers"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/coracle-k8s/coracle/registry/admission/plugin"
)

// New makes the plugin.
func New(factory informers.SharedInformerFactory) admission.Interface {
	ranges := factory.Core().V1().LimitRanges()
	lister := ranges.Lister()
	on := plugin.On{
		Operations: []admission.Operation{admission.Create, admission.Update},
		Resources:  []string{"pods", "pods/resize", "persistentvolumeclaims"},
		Concerns:   concerns,
		Synced:     []cache.InformerSynced{ranges.Informer().HasSynced},
	}
	return plugin.Both(plugin.Mutating(on, func(_ context.Context, a admission.Attributes) error {
		return each(lister, a, func(r *corev1.LimitRange) error {
			if pod, ok := a.GetObject().(*corev1.Pod); ok {
				applyDefaults(r, pod)
			}
			return nil
		})
	}), plugin.Validating(on, func(_ context.Context, a admission.Attributes) error {
		return each(lister, a, func(r *corev1.LimitRange) error { return check(r, a) })
	}))
}

// concerns leaves out updates of Pods but those of their resources, as these cannot be changed otherwise, what is going
// to be deleted, and updates of claims that ask for what they asked for: these may be older than the limits.
func concerns(a admission.Attributes) bool {
	if a.GetResource().Resource == "pods" && (a.GetOperation() == admission.Update) != (a.GetSubresource() == "resize") {
		return false
	}
	old, ok := a.GetOldObject().(metav1.Object)
	if !ok || old == nil {
		return true
	}
	return old.GetDeletionTimestamp() == nil && !sameRequest(a.GetObject(), old)
}

func sameRequest(obj, old any) bool {
	claim, ok := obj.(*corev1.PersistentVolumeClaim)
	was, okOld := old.(*corev1.PersistentVolumeClaim)
	return ok && okOld && equality.Semantic.DeepEqual(claim.Spec.Resources, was.Spec.Resources)
}

func each(lister listers.LimitRangeLister, a admission.Attributes, f func(*corev1.LimitRange) error) error {
	ranges, err := lister.LimitRanges(a.GetNamespace()).List(labels.Everything())
	if err != nil {
		return admission.NewForbidden(a, fmt.Errorf("unable to %s %v at this time because there was an error enforcing limit ranges", a.GetOperation(), a.GetResource()))
	}
	for _, r := range ranges {
		if err := f(r); err != nil {
			return admission.NewForbidden(a, err)
		}
	}
	return nil
}
