package core

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/resource"
)

// DefaultPodResources fills in what a pod as a whole requests and may use, of what its containers do, if it says anything itself.
// It needs all containers, so it comes after whoever may add one. Safe to repeat.
// https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#pod-level-resource-specification
func DefaultPodResources(p *corev1.Pod) {
	if r := p.Spec.Resources; r == nil || len(r.Requests)+len(r.Limits) == 0 {
		return
	}
	limitHugePages(p)
	requestForPod(p)
	limitPod(p)
}

// KeepPodResources keeps what a client that does not know of them left out of an update.
func KeepPodResources(p, old *corev1.Pod) {
	if p.Spec.Resources == nil {
		p.Spec.Resources = old.Spec.Resources.DeepCopy()
	}
}

// limitHugePages gives the pod as a whole the huge pages that its containers may use.
func limitHugePages(p *corev1.Pod) {
	r := p.Spec.Resources
	for name, limit := range resource.AggregateContainerLimits(p, resource.PodResourcesOptions{}) {
		_, requested := r.Requests[name]
		_, limited := r.Limits[name]
		if !resource.IsSupportedPodLevelResource(name) || !IsHugePages(name) || requested || limited {
			continue
		}
		if r.Limits == nil {
			r.Limits = corev1.ResourceList{}
		}
		r.Limits[name] = limit.DeepCopy()
	}
}

// requestForPod gives the pod as a whole the requests that it lacks: those of its containers, else its own limits.
func requestForPod(p *corev1.Pod) {
	r := p.Spec.Resources
	request := func(all corev1.ResourceList, wanted func(corev1.ResourceName) bool) {
		for name, quantity := range all {
			if _, ok := r.Requests[name]; ok || !resource.IsSupportedPodLevelResource(name) || !wanted(name) {
				continue
			}
			if r.Requests == nil {
				r.Requests = corev1.ResourceList{}
			}
			r.Requests[name] = quantity.DeepCopy()
		}
	}
	request(resource.AggregateContainerRequests(p, resource.PodResourcesOptions{}), MayOvercommit)
	request(r.Limits, func(corev1.ResourceName) bool { return true })
}

// limitPod limits the pod as a whole to what its containers may use if all of them are limited, but to no less than it requests.
func limitPod(p *corev1.Pod) {
	r := p.Spec.Resources
	limits := resource.AggregateContainerLimits(p, resource.PodResourcesOptions{})
	for name, requested := range r.Requests {
		limit, ok := limits[name]
		if _, limited := r.Limits[name]; limited || !ok || !resource.IsSupportedPodLevelResource(name) || !allLimited(&p.Spec, name) {
			continue
		}
		if requested.Cmp(limit) > 0 {
			limit = requested
		}
		if r.Limits == nil {
			r.Limits = corev1.ResourceList{}
		}
		r.Limits[name] = limit.DeepCopy()
	}
}

func allLimited(s *corev1.PodSpec, name corev1.ResourceName) bool {
	unlimited := func(c corev1.Container) bool { _, ok := c.Resources.Limits[name]; return !ok }
	return len(s.EphemeralContainers) == 0 && !slices.ContainsFunc(s.InitContainers, unlimited) && !slices.ContainsFunc(s.Containers, unlimited)
}
