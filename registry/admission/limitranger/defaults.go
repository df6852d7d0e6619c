package limitranger

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// annotation tells what was filled in.
const annotation = "kubernetes.io/limit-ranger"

// applyDefaults fills in requests and limits that containers leave out.
func applyDefaults(r *corev1.LimitRange, pod *corev1.Pod) {
	requests, limits := corev1.ResourceList{}, corev1.ResourceList{}
	for _, item := range r.Spec.Limits {
		if item.Type == corev1.LimitTypeContainer {
			fill(requests, item.DefaultRequest)
			fill(limits, item.Default)
		}
	}
	var told []string
	for _, group := range []struct {
		kind       string
		containers []corev1.Container
	}{{"container", pod.Spec.Containers}, {"init container", pod.Spec.InitContainers}} {
		for i := range group.containers {
			c := &group.containers[i]
			told = append(told, describe(fillMissing(&c.Resources.Requests, requests), " request for "+group.kind+" "+c.Name)...)
			told = append(told, describe(fillMissing(&c.Resources.Limits, limits), " limit for "+group.kind+" "+c.Name)...)
		}
	}
	if len(told) == 0 {
		return
	}
	if pod.Annotations == nil {
		pod.Annotations = map[string]string{}
	}
	pod.Annotations[annotation] = "LimitRanger plugin set: " + strings.Join(told, "; ")
}

func fill(into, from corev1.ResourceList) {
	for name, quantity := range from {
		into[name] = quantity.DeepCopy()
	}
}

// fillMissing returns the sorted names of what it filled in.
func fillMissing(list *corev1.ResourceList, defaults corev1.ResourceList) []string {
	if *list == nil {
		*list = corev1.ResourceList{}
	}
	var names []string
	for name, quantity := range defaults {
		if _, found := (*list)[name]; !found {
			(*list)[name] = quantity.DeepCopy()
			names = append(names, string(name))
		}
	}
	slices.Sort(names)
	return names
}

func describe(names []string, what string) []string {
	if len(names) == 0 {
		return nil
	}
	return []string{strings.Join(names, ", ") + what}
}
