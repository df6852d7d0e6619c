package core

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"
	podresource "k8s.io/component-helpers/resource"
	"k8s.io/component-helpers/storage/volume"
)

// What objects use of a ResourceQuota, by the names that its spec.hard may have.
// See https://kubernetes.io/docs/concepts/policy/resource-quotas/.

const (
	requestsPrefix      = "requests."
	storageClassInfix   = ".storageclass.storage.k8s.io/"
	deviceClassPrefix   = "deviceclass.resource.kubernetes.io/"
	nativePrefixDefault = "kubernetes.io/"
)

// CountName is the quota's name for the number of objects of any resource: count/deployments.apps.
func CountName(gr schema.GroupResource) corev1.ResourceName {
	return corev1.ResourceName("count/" + gr.String())
}

// CountsInQuota reports whether a Pod still uses compute resources: it is neither finished nor long overdue.
func CountsInQuota(pod *corev1.Pod, now time.Time) bool {
	if pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
		return false
	}
	if pod.DeletionTimestamp == nil || pod.DeletionGracePeriodSeconds == nil {
		return true
	}
	grace := time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second
	return !now.After(pod.DeletionTimestamp.Add(grace))
}

// PodUsage is what a Pod uses now. Any stored Pod counts as object.
func PodUsage(pod *corev1.Pod, now time.Time) corev1.ResourceList {
	usage := corev1.ResourceList{}
	if CountsInQuota(pod, now) {
		options := podresource.PodResourcesOptions{UseStatusResources: true}
		usage = computeUsage(podresource.PodRequests(pod, options), podresource.PodLimits(pod, options))
		usage[corev1.ResourcePods] = count(1)
	}
	usage["count/pods"] = count(1)
	return usage
}

// computeUsage translates requests and limits into names of a quota: those of requests have two.
func computeUsage(requests, limits corev1.ResourceList) corev1.ResourceList {
	usage := corev1.ResourceList{}
	for name, quantity := range requests {
		switch {
		case isCompute(name), strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix):
			usage[name], usage[requestsPrefix+name] = quantity, quantity
		case isExtended(name):
			usage[requestsPrefix+name] = quantity
		}
	}
	for name, quantity := range limits {
		if isCompute(name) {
			usage["limits."+name] = quantity
		}
	}
	return usage
}

func isCompute(name corev1.ResourceName) bool {
	return name == corev1.ResourceCPU || name == corev1.ResourceMemory || name == corev1.ResourceEphemeralStorage
}

// isExtended reports whether a resource is none of Kubernetes' own: example.com/gpu.
func isExtended(name corev1.ResourceName) bool {
	s := string(name)
	return strings.HasPrefix(s, deviceClassPrefix) ||
		strings.Contains(s, "/") && !strings.Contains(s, nativePrefixDefault) && !strings.HasPrefix(s, requestsPrefix)
}

// IsPodQuota reports whether Pods can use a name of spec.hard.
func IsPodQuota(name corev1.ResourceName) bool {
	switch name {
	case "count/pods", corev1.ResourcePods,
		corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage,
		corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory, corev1.ResourceRequestsEphemeralStorage,
		corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory, corev1.ResourceLimitsEphemeralStorage:
		return true
	}
	if strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix) {
		return true
	}
	requested, ok := strings.CutPrefix(string(name), requestsPrefix)
	return ok && (strings.HasPrefix(requested, corev1.ResourceHugePagesPrefix) || isExtended(corev1.ResourceName(requested)))
}

// MissingForQuota says which containers lack requests or limits that a quota on CPU or memory makes mandatory. A Pod with
// resources of its own needs none on its containers.
func MissingForQuota(pod *corev1.Pod, required []corev1.ResourceName) error {
	if podresource.IsPodLevelResourcesSet(pod) {
		return nil
	}
	missing := map[string][]string{}
	for _, containers := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range containers {
			has := computeUsage(containers[i].Resources.Requests, containers[i].Resources.Limits)
			for _, name := range required {
				if _, found := has[name]; !found && isMandatory(name) {
					missing[string(name)] = append(missing[string(name)], containers[i].Name)
				}
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		containers := missing[name]
		slices.Sort(containers)
		parts = append(parts, name+" for: "+strings.Join(slices.Compact(containers), ","))
	}
	return fmt.Errorf("must specify %s", strings.Join(parts, "; "))
}

func isMandatory(name corev1.ResourceName) bool {
	switch name {
	case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory,
		corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory:
		return true
	}
	return false
}

// ServiceUsage is what a Service uses. Node ports are counted as asked for, as they may not be allocated yet.
func ServiceUsage(service *corev1.Service) corev1.ResourceList {
	var nodePorts, balancers int
	switch service.Spec.Type {
	case corev1.ServiceTypeNodePort:
		nodePorts = len(service.Spec.Ports)
	case corev1.ServiceTypeLoadBalancer:
		balancers, nodePorts = 1, len(service.Spec.Ports)
		if allocate := service.Spec.AllocateLoadBalancerNodePorts; allocate != nil && !*allocate {
			nodePorts = 0
			for _, p := range service.Spec.Ports {
				if p.NodePort != 0 {
					nodePorts++
				}
			}
		}
	}
	return corev1.ResourceList{
		"count/services":                     count(1),
		corev1.ResourceServices:              count(1),
		corev1.ResourceServicesNodePorts:     count(nodePorts),
		corev1.ResourceServicesLoadBalancers: count(balancers),
	}
}

// IsServiceQuota reports whether Services can use a name of spec.hard.
func IsServiceQuota(name corev1.ResourceName) bool {
	switch name {
	case "count/services", corev1.ResourceServices, corev1.ResourceServicesNodePorts, corev1.ResourceServicesLoadBalancers:
		return true
	}
	return false
}

// ClaimUsage is what a PersistentVolumeClaim uses, also of its class: gold.storageclass.storage.k8s.io/requests.storage. While
// it shrinks back from a failed expansion, that is what is allocated.
func ClaimUsage(claim *corev1.PersistentVolumeClaim) corev1.ResourceList {
	usage := corev1.ResourceList{
		corev1.ResourcePersistentVolumeClaims: count(1),
		"count/persistentvolumeclaims":        count(1),
	}
	class := volume.GetPersistentVolumeClaimClass(claim)
	if class != "" {
		usage[corev1.ResourceName(class+storageClassInfix)+corev1.ResourcePersistentVolumeClaims] = count(1)
	}
	size, found := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	if !found {
		return usage
	}
	if allocated, found := claim.Status.AllocatedResources[corev1.ResourceStorage]; found && allocated.Cmp(size) > 0 {
		size = allocated
	}
	size = size.DeepCopy()
	size.RoundUp(0)
	usage[corev1.ResourceRequestsStorage] = size
	if class != "" {
		usage[corev1.ResourceName(class+storageClassInfix)+corev1.ResourceRequestsStorage] = size
	}
	return usage
}

// IsClaimQuota reports whether PersistentVolumeClaims can use a name of spec.hard.
func IsClaimQuota(name corev1.ResourceName) bool {
	_, ofClass, found := strings.Cut(string(name), storageClassInfix)
	if found {
		name = corev1.ResourceName(ofClass)
	} else if name == "count/persistentvolumeclaims" {
		return true
	}
	return name == corev1.ResourcePersistentVolumeClaims || name == corev1.ResourceRequestsStorage
}

func count(n int) resource.Quantity { return *resource.NewQuantity(int64(n), resource.DecimalSI) }
