package core

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ValidatePodSpec checks the spec of a pod, or of the template of one; meta is that of the pod or template, nil for none.
func ValidatePodSpec(spec *corev1.PodSpec, meta *metav1.ObjectMeta, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(spec.Containers) == 0 {
		errs = append(errs, field.Required(at.Child("containers"), ""))
	}
	return errs
}

// ValidatePodTemplate checks the template that a controller makes pods from: labels, annotations and the pod's spec.
func ValidatePodTemplate(t *corev1.PodTemplateSpec, at *field.Path) field.ErrorList {
	return ValidatePodSpec(&t.Spec, &t.ObjectMeta, at.Child("spec"))
}

// ValidateTemplateLabels requires that a controller's selector finds the pods made from its template.
func ValidateTemplateLabels(t *corev1.PodTemplateSpec, selector labels.Selector, at *field.Path) field.ErrorList {
	if selector.Matches(labels.Set(t.Labels)) {
		return nil
	}
	return field.ErrorList{field.Invalid(at.Child("metadata", "labels"), t.Labels, "`selector` does not match template `labels`")}
}
