// Package dra says what the objects of resource.k8s.io mean: dynamic resource allocation.
package dra

import (
	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DefaultResourceClaim asks for one device where no number is given.
// https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
func DefaultResourceClaim(c *resourcev1.ResourceClaim) { defaultRequests(c.Spec.Devices.Requests) }

// DefaultResourceClaimTemplate asks for one device where no number is given.
func DefaultResourceClaimTemplate(t *resourcev1.ResourceClaimTemplate) {
	defaultRequests(t.Spec.Spec.Devices.Requests)
}

func defaultRequests(requests []resourcev1.DeviceRequest) {
	for i := range requests {
		if e := requests[i].Exactly; e != nil {
			defaultCount(&e.AllocationMode, &e.Count)
		}
		for j := range requests[i].FirstAvailable {
			s := &requests[i].FirstAvailable[j]
			defaultCount(&s.AllocationMode, &s.Count)
		}
	}
}

func defaultCount(mode *resourcev1.DeviceAllocationMode, count *int64) {
	if *mode == "" {
		*mode = resourcev1.DeviceAllocationModeExactCount
	}
	if *mode == resourcev1.DeviceAllocationModeExactCount && *count == 0 {
		*count = 1
	}
}

// DefaultResourceSlice says that taints without a time were added now.
func DefaultResourceSlice(s *resourcev1.ResourceSlice, now metav1.Time) {
	for i := range s.Spec.Devices {
		d := &s.Spec.Devices[i]
		for j := range d.Taints {
			if d.Taints[j].TimeAdded == nil {
				d.Taints[j].TimeAdded = new(now.Rfc3339Copy())
			}
		}
	}
}
