package dra

import (
	"context"
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/dra"
	"github.com/coracle-k8s/coracle/apis/feature"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type claim = resourcev1.ResourceClaim

// ResourceClaims ask for devices. What they get is in the status.
func resourceClaims(c Config) *resource.Resource[*claim] {
	return resource.Define(resource.Definition[*claim]{
		Name: "resourceclaims", Namespaced: true, ReturnDeleted: true,
		Default: dra.DefaultResourceClaim,
		Gated:   feature.In(dra.GatedClaimSpec(), func(c *claim) *resourcev1.ResourceClaimSpec { return &c.Spec }),
		ValidateRequest: func(_ context.Context, obj, old *claim) field.ErrorList {
			if old != nil {
				return dra.ValidateClaimUpdate(obj, old)
			}
			return append(c.mayAdminister(obj.Namespace, dra.AdminAccess(obj.Spec.Devices.Requests)), dra.ValidateClaim(obj, checkSelector)...)
		},
		Columns: []resource.Column[*claim]{
			{Name: "State", Description: "A summary of the current state (allocated, pending, reserved, etc.).", Cell: state},
		},
		CopyStatus: func(into, from *claim) { into.Status = from.Status },
		Status: &resource.Part[*claim]{
			FreezeMetadata: true,
			Gated:          dra.GatedClaimStatus(),
			Prepare:        func(_ context.Context, obj, old *claim) { dra.DropDeallocated(obj, old) },
			Begin: func(_ context.Context, obj, old *claim, _ bool) (resource.Finish, error) {
				if dra.AdminAllocated(old) != nil {
					return nil, nil
				}
				if errs := c.mayAdminister(old.Namespace, dra.AdminAllocated(obj)); len(errs) > 0 {
					return nil, errors.NewInvalid(resourcev1.SchemeGroupVersion.WithKind("ResourceClaim").GroupKind(), old.Name, errs)
				}
				return nil, nil
			},
			Validate: dra.ValidateClaimStatus,
			Resets:   []string{"metadata", "spec"},
		},
	})
}

func state(c *claim) any {
	var states []string
	if c.DeletionTimestamp != nil {
		states = append(states, "deleted")
	}
	switch {
	case c.Status.Allocation == nil && c.DeletionTimestamp == nil:
		states = append(states, "pending")
	case c.Status.Allocation != nil && len(c.Status.ReservedFor) > 0:
		states = append(states, "allocated", "reserved")
	case c.Status.Allocation != nil:
		states = append(states, "allocated")
	}
	return strings.Join(states, ",")
}
