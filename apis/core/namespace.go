package core

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// DefaultNamespace labels a namespace that has a name with it, and says that it is in use. Safe to repeat.
func DefaultNamespace(ns *corev1.Namespace) {
	if ns.Name != "" {
		LabelNamespace(ns)
	}
	setDefault(&ns.Status.Phase, corev1.NamespaceActive)
}

// LabelNamespace labels a namespace with its name, whatever the client wants the label to be.
func LabelNamespace(ns *corev1.Namespace) {
	if ns.Labels[corev1.LabelMetadataName] == ns.Name && ns.Name != "" {
		return
	}
	if ns.Labels == nil {
		ns.Labels = map[string]string{}
	}
	ns.Labels[corev1.LabelMetadataName] = ns.Name
}

// ValidateNamespace checks the finalizers.
func ValidateNamespace(ns *corev1.Namespace) (errs field.ErrorList) {
	for i := range ns.Spec.Finalizers {
		errs = append(errs, validateNamespaceFinalizer(string(ns.Spec.Finalizers[i]), field.NewPath("spec", "finalizers"))...)
	}
	return errs
}

func validateNamespaceFinalizer(name string, at *field.Path) (errs field.ErrorList) {
	for _, message := range validation.IsQualifiedName(name) {
		errs = append(errs, field.Invalid(at, name, message))
	}
	if !hasDomain(name) && name != string(corev1.FinalizerKubernetes) {
		errs = append(errs, field.Invalid(at, name, "name is neither a standard finalizer name nor is it fully qualified"))
	}
	return errs
}

// ValidateNamespaceStatusUpdate lets only namespaces be terminating that are deleted.
func ValidateNamespaceStatusUpdate(ns, _ *corev1.Namespace) field.ErrorList {
	at := field.NewPath("status", "Phase")
	switch deleted, phase := ns.DeletionTimestamp != nil, ns.Status.Phase; {
	case !deleted && phase != corev1.NamespaceActive:
		return field.ErrorList{field.Invalid(at, phase, "may only be 'Active' if `deletionTimestamp` is empty")}
	case deleted && phase != corev1.NamespaceTerminating:
		return field.ErrorList{field.Invalid(at, phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")}
	}
	return nil
}

// ValidateNamespaceFinalize checks the finalizers that are left.
func ValidateNamespaceFinalize(ns, _ *corev1.Namespace) (errs field.ErrorList) {
	for i := range ns.Spec.Finalizers {
		errs = append(errs, validateNamespaceFinalizer(string(ns.Spec.Finalizers[i]), field.NewPath("spec", "finalizers").Index(i))...)
	}
	return errs
}
