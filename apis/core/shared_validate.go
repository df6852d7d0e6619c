package core

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Checks of what kinds of other groups have, too.

// ValidateTolerations checks what is tolerated, as in a pod.
func ValidateTolerations(all []corev1.Toleration, at *field.Path) field.ErrorList {
	var p problems
	p.tolerations(at, all)
	return p.list
}

// ValidateContainerResourceName requires the name of a resource that a container can have.
func ValidateContainerResourceName(name corev1.ResourceName, at *field.Path) field.ErrorList {
	var p problems
	p.containerResource(at, name)
	return p.list
}

// ValidateLimits checks names and amounts of limits, as in a container.
func ValidateLimits(limits corev1.ResourceList, at *field.Path) field.ErrorList {
	p := podProblems{spec: &corev1.PodSpec{}}
	p.containerResources(at, &corev1.ResourceRequirements{Limits: limits})
	return p.list
}
