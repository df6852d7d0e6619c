package dra

import (
	"strings"

	resourcev1 "k8s.io/api/resource/v1"

	"github.com/coracle-k8s/coracle/apis/dra"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type claim = resourcev1.ResourceClaim

// ResourceClaims ask for devices. What they get is in the status.
func resourceClaims() *resource.Resource[*claim] {
	return resource.Define(resource.Definition[*claim]{
		Name: "resourceclaims", Namespaced: true,
		Default: dra.DefaultResourceClaim,
		Columns: []resource.Column[*claim]{
			{Name: "State", Description: "A summary of the current state (allocated, pending, reserved, etc.).", Cell: state},
		},
		CopyStatus: func(into, from *claim) { into.Status = from.Status },
		Status: &resource.Part[*claim]{
			FreezeMetadata: true,
			Resets:         []string{"metadata", "spec"},
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
