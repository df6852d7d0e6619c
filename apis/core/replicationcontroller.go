package core

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// DefaultReplicationController takes from the template what the controller does not say, and wants one pod. Safe to repeat.
func DefaultReplicationController(rc *corev1.ReplicationController) {
	if t := rc.Spec.Template; t != nil {
		if t.Labels != nil {
			if len(rc.Spec.Selector) == 0 {
				rc.Spec.Selector = t.Labels
			}
			if len(rc.Labels) == 0 {
				rc.Labels = t.Labels
			}
		}
		DefaultPodTemplate(t)
	}
	setDefaultPtr(&rc.Spec.Replicas, 1)
}

// ValidateReplicationController checks a controller that is created or updated.
func ValidateReplicationController(rc *corev1.ReplicationController) field.ErrorList {
	var p problems
	at, s := field.NewPath("spec"), &rc.Spec
	p.notNegative(at.Child("minReadySeconds"), int64(s.MinReadySeconds))
	selector := labels.Set(s.Selector).AsSelector()
	if selector.Empty() {
		p.required(at.Child("selector"), "")
	}
	if s.Replicas == nil {
		p.required(at.Child("replicas"), "")
	} else {
		p.notNegative(at.Child("replicas"), int64(*s.Replicas))
	}
	if at = at.Child("template"); s.Template == nil {
		p.required(at, "")
		return p.list
	}
	if !selector.Empty() {
		p.join(ValidateTemplateLabels(s.Template, selector, at))
	}
	p.join(ValidatePodTemplate(s.Template, at))
	if policy := s.Template.Spec.RestartPolicy; policy != corev1.RestartPolicyAlways {
		p.list = append(p.list, field.NotSupported(at.Child("spec", "restartPolicy"), policy, []corev1.RestartPolicy{corev1.RestartPolicyAlways}))
	}
	if s.Template.Spec.ActiveDeadlineSeconds != nil {
		p.forbidden(at.Child("spec", "activeDeadlineSeconds"), "activeDeadlineSeconds in ReplicationController is not Supported")
	}
	return p.list
}

// ValidateReplicationControllerStatusUpdate checks that the numbers reported can be.
func ValidateReplicationControllerStatusUpdate(rc, _ *corev1.ReplicationController) field.ErrorList {
	var p problems
	at, s := field.NewPath("status"), &rc.Status
	p.notNegative(at.Child("replicas"), int64(s.Replicas))
	for _, f := range []struct {
		name string
		n    int32
	}{{"fullyLabeledReplicas", s.FullyLabeledReplicas}, {"readyReplicas", s.ReadyReplicas}, {"availableReplicas", s.AvailableReplicas}} {
		p.notNegative(at.Child(f.name), int64(f.n))
		if f.n > s.Replicas {
			p.invalid(at.Child(f.name), f.n, "cannot be greater than status.replicas")
		}
	}
	p.notNegative(at.Child("observedGeneration"), s.ObservedGeneration)
	if s.AvailableReplicas > s.ReadyReplicas {
		p.invalid(at.Child("availableReplicas"), s.AvailableReplicas, "cannot be greater than readyReplicas")
	}
	return p.list
}
