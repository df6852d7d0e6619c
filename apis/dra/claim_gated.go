package dra

import (
	"slices"

	resourcev1 "k8s.io/api/resource/v1"

	"github.com/coracle-k8s/coracle/apis/feature"
)

// GatedClaimSpec are the fields of claims, and of the templates of claims, whose features are off by default.
func GatedClaimSpec() []feature.Field[*resourcev1.ResourceClaimSpec] {
	return []feature.Field[*resourcev1.ResourceClaimSpec]{{
		Gate: feature.DRADerivedAttributes,
		InUse: func(s *resourcev1.ResourceClaimSpec) bool {
			return slices.ContainsFunc(derived(s), func(a *[]resourcev1.DeviceDerivedAttribute) bool { return len(*a) > 0 })
		},
		Drop: func(s *resourcev1.ResourceClaimSpec) {
			for _, a := range derived(s) {
				*a = nil
			}
		},
	}}
}

// GatedClaimStatus are the fields of claims' status whose features are off by default.
func GatedClaimStatus() []feature.Field[*resourcev1.ResourceClaim] {
	return []feature.Field[*resourcev1.ResourceClaim]{{
		Gate: feature.DRAOptionalNodeOperations,
		InUse: func(c *resourcev1.ResourceClaim) bool {
			return slices.ContainsFunc(results(c), func(r resourcev1.DeviceRequestAllocationResult) bool { return len(r.SkipNodeOperations) > 0 })
		},
		Drop: func(c *resourcev1.ResourceClaim) {
			for i := range results(c) {
				results(c)[i].SkipNodeOperations = nil
			}
		},
	}}
}

func derived(s *resourcev1.ResourceClaimSpec) (all []*[]resourcev1.DeviceDerivedAttribute) {
	for i := range s.Devices.Requests {
		r := &s.Devices.Requests[i]
		if r.Exactly != nil {
			all = append(all, &r.Exactly.DerivedAttributes)
		}
		for j := range r.FirstAvailable {
			all = append(all, &r.FirstAvailable[j].DerivedAttributes)
		}
	}
	return all
}

func results(c *resourcev1.ResourceClaim) []resourcev1.DeviceRequestAllocationResult {
	if c.Status.Allocation == nil {
		return nil
	}
	return c.Status.Allocation.Devices.Results
}
