package core

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/component-helpers/resource"
)

// IsHugePages reports whether the resource is memory in pages of one larger size: hugepages-2Mi.
func IsHugePages(name corev1.ResourceName) bool {
	return strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
}

// IsNative reports whether the resource is one of Kubernetes' own: cpu, or anything in the kubernetes.io domain.
func IsNative(name corev1.ResourceName) bool {
	return !strings.Contains(string(name), "/") || strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix)
}

// IsNodeAllocatable reports whether devices may be made of the resource, or need some of it: cpu, memory and huge pages.
func IsNodeAllocatable(name corev1.ResourceName) bool {
	return name == corev1.ResourceCPU || name == corev1.ResourceMemory || IsHugePages(name)
}

// IsExtended reports whether the resource is one that a cluster's operator added, a device plugin's say.
func IsExtended(name corev1.ResourceName) bool {
	if IsNative(name) || strings.HasPrefix(string(name), corev1.DefaultResourceRequestsPrefix) {
		return false
	}
	// Quotas name it with a prefix, which must fit too.
	return len(validation.IsQualifiedName(corev1.DefaultResourceRequestsPrefix+string(name))) == 0
}

// MayOvercommit reports whether limits of the resource may exceed its requests.
func MayOvercommit(name corev1.ResourceName) bool { return IsNative(name) && !IsHugePages(name) }

// IsAttachableVolumes reports whether the resource counts the volumes of one driver that a node can attach.
func IsAttachableVolumes(name corev1.ResourceName) bool {
	return strings.HasPrefix(string(name), corev1.ResourceAttachableVolumesPrefix)
}

// ResourceRequests are what the pod as a whole requests: what runs at the same time, at its peak, and the overhead. Resizes
// in progress count with the larger side. The caller owns the result.
func ResourceRequests(p *corev1.Pod) corev1.ResourceList {
	return resource.PodRequests(p, resource.PodResourcesOptions{UseStatusResources: true})
}

// ResourceLimits are what the pod as a whole may use. The caller owns the result.
func ResourceLimits(p *corev1.Pod) corev1.ResourceList {
	return resource.PodLimits(p, resource.PodResourcesOptions{UseStatusResources: true})
}

// QOSClass says how the pod is treated when its node runs short: status.qosClass, or what follows from its requests and
// limits. https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
func QOSClass(p *corev1.Pod) corev1.PodQOSClass {
	if p.Status.QOSClass != "" {
		return p.Status.QOSClass
	}
	return ComputeQOSClass(&p.Spec)
}

// ComputeQOSClass is the class that follows from requests and limits of CPU and memory alone.
func ComputeQOSClass(s *corev1.PodSpec) corev1.PodQOSClass {
	var q qos
	q.guaranteed = true
	if r := s.Resources; r != nil && len(r.Requests)+len(r.Limits) > 0 { // resources that say nothing are none
		q.add(s.Resources.Requests, s.Resources.Limits, len(s.Resources.Limits) > 0)
	} else {
		for i := range s.Containers {
			q.add(s.Containers[i].Resources.Requests, s.Containers[i].Resources.Limits, true)
		}
		for i := range s.InitContainers {
			q.add(s.InitContainers[i].Resources.Requests, s.InitContainers[i].Resources.Limits, true)
		}
	}
	switch {
	case !q.requested && !q.limited:
		return corev1.PodQOSBestEffort
	case q.guaranteed && q.equal():
		return corev1.PodQOSGuaranteed
	}
	return corev1.PodQOSBurstable
}

// qos sums up requests and limits of CPU and memory.
type qos struct {
	requests, limits               corev1.ResourceList
	requested, limited, guaranteed bool
}

var qosResources = [...]corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory}

func (q *qos) add(requests, limits corev1.ResourceList, mustLimit bool) {
	for _, name := range qosResources {
		if sum(&q.requests, name, requests) {
			q.requested = true
		}
		if sum(&q.limits, name, limits) {
			q.limited = true
		} else if mustLimit {
			q.guaranteed = false
		}
	}
}

// sum adds the list's quantity to the total and reports whether there was any.
func sum(total *corev1.ResourceList, name corev1.ResourceName, list corev1.ResourceList) bool {
	quantity, ok := list[name]
	if !ok || quantity.Sign() <= 0 {
		return false
	}
	if *total == nil {
		*total = corev1.ResourceList{}
	}
	so := (*total)[name]
	so.Add(quantity)
	(*total)[name] = so
	return true
}

func (q *qos) equal() bool {
	if len(q.requests) != len(q.limits) {
		return false
	}
	for name, request := range q.requests {
		if limit, ok := q.limits[name]; !ok || limit.Cmp(request) != 0 {
			return false
		}
	}
	return true
}
