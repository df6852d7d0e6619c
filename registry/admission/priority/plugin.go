// Package priority gives Pods the priority of their class, and allows one default class.
// See https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/.
package priority

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/informers"
	listers "k8s.io/client-go/listers/scheduling/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/coracle-k8s/coracle/registry/admission/plugin"
)

type priority struct{ classes listers.PriorityClassLister }

// New makes the plugin.
func New(factory informers.SharedInformerFactory) admission.Interface {
	classes := factory.Scheduling().V1().PriorityClasses()
	p := priority{classes: classes.Lister()}
	operations := []admission.Operation{admission.Create, admission.Update}
	synced := []cache.InformerSynced{classes.Informer().HasSynced}
	return plugin.Both(
		plugin.Mutating(plugin.On{Operations: operations, Resources: []string{"pods"}, Synced: synced}, p.admit),
		plugin.Validating(plugin.On{Operations: operations, Group: schedulingv1.GroupName, Resources: []string{"priorityclasses"}, Synced: synced}, p.validate),
	)
}

func (p priority) admit(_ context.Context, a admission.Attributes) error {
	pod, err := plugin.Object[*corev1.Pod](a)
	if err != nil {
		return err
	}
	if a.GetOperation() == admission.Update {
		old, err := plugin.Old[*corev1.Pod](a)
		if err != nil {
			return err
		}
		keep(pod, old)
		return nil
	}
	class, err := p.classOf(a, pod)
	if err != nil {
		return err
	}
	if err := set(pod, class); err != nil {
		return admission.NewForbidden(a, err)
	}
	return nil
}

// keep lets an update leave out what creation filled in.
func keep(pod, old *corev1.Pod) {
	if pod.Spec.Priority == nil {
		pod.Spec.Priority = old.Spec.Priority
	}
	if pod.Spec.PreemptionPolicy == nil {
		pod.Spec.PreemptionPolicy = old.Spec.PreemptionPolicy
	}
}

// classOf is the class that the Pod names, the default one, or one of priority zero.
func (p priority) classOf(a admission.Attributes, pod *corev1.Pod) (*schedulingv1.PriorityClass, error) {
	name := pod.Spec.PriorityClassName
	if name == "" {
		all, err := p.classes.List(labels.Everything())
		if err != nil {
			return nil, fmt.Errorf("listing priority classes: %w", err)
		}
		if class := defaultOf(all); class != nil {
			return class, nil
		}
		return &schedulingv1.PriorityClass{PreemptionPolicy: new(corev1.PreemptLowerPriority)}, nil
	}
	class, err := p.classes.Get(name)
	if apierrors.IsNotFound(err) {
		return nil, admission.NewForbidden(a, fmt.Errorf("no PriorityClass with name %v was found", name))
	}
	return class, err
}

func set(pod *corev1.Pod, class *schedulingv1.PriorityClass) error {
	if given := pod.Spec.Priority; given != nil && *given != class.Value {
		return fmt.Errorf("the integer value of priority (%d) must not be provided in pod spec; priority admission controller computed %d from the given PriorityClass name", *given, class.Value)
	}
	pod.Spec.PriorityClassName, pod.Spec.Priority = class.Name, new(class.Value)
	if class.PreemptionPolicy == nil {
		return nil
	}
	if given := pod.Spec.PreemptionPolicy; given != nil && *given != *class.PreemptionPolicy {
		return fmt.Errorf("the string value of PreemptionPolicy (%s) must not be provided in pod spec; priority admission controller computed %s from the given PriorityClass name", *given, *class.PreemptionPolicy)
	}
	pod.Spec.PreemptionPolicy = new(*class.PreemptionPolicy)
	return nil
}

// validate refuses a second default class.
func (p priority) validate(_ context.Context, a admission.Attributes) error {
	class, err := plugin.Object[*schedulingv1.PriorityClass](a)
	if err != nil || !class.GlobalDefault {
		return err
	}
	all, err := p.classes.List(labels.Everything())
	if err != nil {
		return fmt.Errorf("listing priority classes: %w", err)
	}
	other := defaultOf(all)
	if other != nil && (a.GetOperation() == admission.Create || other.Name != class.Name) {
		return admission.NewForbidden(a, fmt.Errorf("PriorityClass %v is already marked as default. Only one default can exist", other.Name))
	}
	return nil
}

// defaultOf is the default class; the lowest, should there be several by accident.
func defaultOf(classes []*schedulingv1.PriorityClass) *schedulingv1.PriorityClass {
	var found *schedulingv1.PriorityClass
	for _, c := range classes {
		if c.GlobalDefault && (found == nil || c.Value < found.Value) {
			found = c
		}
	}
	return found
}
