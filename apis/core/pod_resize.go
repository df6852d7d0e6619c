package core

import (
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ValidatePodResize lets CPU and memory of a running pod change, within its class of service.
// https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/
func ValidatePodResize(pod, old *corev1.Pod) field.ErrorList {
	at := field.NewPath("spec")
	switch {
	case IsMirror(old):
		return field.ErrorList{field.Forbidden(field.NewPath(""), "static pods cannot be resized")}
	case old.Spec.OS != nil && old.Spec.OS.Name == corev1.Windows:
		return field.ErrorList{field.Forbidden(field.NewPath(""), "windows pods cannot be resized")}
	}
	p := newPodProblems(pod)
	p.pod()
	if QOSClass(old) != ComputeQOSClass(&pod.Spec) {
		p.invalid(at, pod.Status.QOSClass, "Pod QOS Class may not change as a result of resizing")
	}
	if !mayResize(old) {
		p.forbidden(at, "Pod running on node without support for resize")
	}
	restored := pod.Spec.DeepCopy()
	p.podLevelResize(at, restored, &old.Spec)
	if !p.sameOrder(at.Child("containers"), "containers", pod.Spec.Containers, old.Spec.Containers) ||
		!p.sameOrder(at.Child("initContainers"), "initContainers", pod.Spec.InitContainers, old.Spec.InitContainers) {
		return p.list
	}
	p.containersResize(at, restored, &old.Spec)
	if len(p.list) == 0 && !apiequality.Semantic.DeepEqual(*restored, old.Spec) {
		p.forbidden(at, "only cpu and memory resources are mutable")
	}
	return p.list
}

// mayResize reports whether the pod's node tells what containers really have; all do that can resize them.
func mayResize(p *corev1.Pod) bool {
	for i := range p.Status.ContainerStatuses {
		if c := &p.Status.ContainerStatuses[i]; c.State.Running != nil {
			return c.Resources != nil
		}
	}
	return true
}

func (p *podProblems) sameOrder(at *field.Path, name string, is, was []corev1.Container) bool {
	if len(is) != len(was) {
		p.forbidden(at, name+" may not be added or removed on resize")
		return false
	}
	same := true
	for i := range was {
		if is[i].Name != was[i].Name {
			p.forbidden(at.Index(i).Child("name"), name+" may not be renamed or reordered on resize")
			same = false
		}
	}
	return same
}

func (p *podProblems) podLevelResize(at *field.Path, restored, old *corev1.PodSpec) {
	is, was := restored.Resources, old.Resources
	if set := func(r *corev1.ResourceRequirements) bool { return r != nil && len(r.Requests)+len(r.Limits) > 0 }; !set(is) && !set(was) {
		return
	}
	if is == nil {
		p.forbidden(at.Child("resources"), "pod-level resources cannot be removed")
		return
	}
	if was == nil {
		was = &corev1.ResourceRequirements{}
	}
	if lacks(is.Requests, was.Requests) {
		p.forbidden(at.Child("resources", "requests"), "pod-level resource requests cannot be removed")
	}
	if lacks(is.Limits, was.Limits) {
		p.forbidden(at.Child("resources", "limits"), "pod-level resource limits cannot be removed")
	}
	restoreResources(is, was)
	if old.Resources == nil && len(is.Requests)+len(is.Limits)+len(is.Claims) == 0 {
		restored.Resources = nil
	}
	if !apiequality.Semantic.DeepEqual(restored.Resources, old.Resources) {
		p.forbidden(at, "only cpu and memory resources are mutable at pod-level")
	}
}

func (p *podProblems) containersResize(at *field.Path, restored, old *corev1.PodSpec) {
	removed := func(at *field.Path, is, was *corev1.ResourceRequirements) {
		if lacks(is.Requests, was.Requests) {
			p.forbidden(at.Child("requests"), "resource requests cannot be removed")
		}
		if lacks(is.Limits, was.Limits) {
			p.forbidden(at.Child("limits"), "resource limits cannot be removed")
		}
	}
	for i := range old.InitContainers {
		removed(at.Child("initContainers").Index(i).Child("resources"), &restored.InitContainers[i].Resources, &old.InitContainers[i].Resources)
	}
	for i := range old.Containers {
		removed(at.Child("containers").Index(i).Child("resources"), &restored.Containers[i].Resources, &old.Containers[i].Resources)
	}
	for i := range restored.Containers {
		restoreResources(&restored.Containers[i].Resources, &old.Containers[i].Resources)
		if !apiequality.Semantic.DeepEqual(restored.Containers[i], old.Containers[i]) {
			p.forbidden(at, "only cpu and memory resources are mutable")
		}
	}
	for i := range restored.InitContainers {
		c, was, at := &restored.InitContainers[i], &old.InitContainers[i], at.Child("initContainers").Index(i)
		changed := !apiequality.Semantic.DeepEqual(c, was)
		restoreResources(&c.Resources, &was.Resources)
		if !apiequality.Semantic.DeepEqual(c, was) {
			p.forbidden(at, "only cpu and memory resources for init or sidecar containers are mutable")
		}
		for _, policy := range c.ResizePolicy {
			if changed && !IsSidecar(c) && policy.RestartPolicy == corev1.RestartContainer {
				p.forbidden(at, "non-sidecar init containers with a resize policy of RestartContainer cannot be resized")
			}
		}
	}
}

// lacks reports whether a resource is gone.
func lacks(is, was corev1.ResourceList) bool {
	for name := range was {
		if _, ok := is[name]; !ok {
			return true
		}
	}
	return false
}

// restoreResources makes CPU and memory what they were.
func restoreResources(is, was *corev1.ResourceRequirements) {
	restore := func(list *corev1.ResourceList, was corev1.ResourceList) {
		for _, name := range qosResources {
			delete(*list, name)
			if q, ok := was[name]; ok {
				if *list == nil {
					*list = corev1.ResourceList{}
				}
				(*list)[name] = q
			}
		}
	}
	restore(&is.Requests, was.Requests)
	restore(&is.Limits, was.Limits)
}
