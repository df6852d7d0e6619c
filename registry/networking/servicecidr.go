package networking

import (
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/coracle-k8s/coracle/apis/networking"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type serviceCIDR = networkingv1.ServiceCIDR

// ServiceCIDRs are the ranges that services have their addresses of.
func serviceCIDRs() *resource.Resource[*serviceCIDR] {
	return resource.Define(resource.Definition[*serviceCIDR]{
		Name:           "servicecidrs",
		ValidateCreate: networking.ValidateServiceCIDR,
		ValidateUpdate: networking.ValidateServiceCIDRUpdate,
		Columns: []resource.Column[*serviceCIDR]{
			{Name: "CIDRs", Description: networkingv1.ServiceCIDRSpec{}.SwaggerDoc()["cidrs"], Cell: func(c *serviceCIDR) any { return strings.Join(c.Spec.CIDRs, ",") }},
		},
		CopyStatus: func(into, from *serviceCIDR) { into.Status = from.Status },
		Status:     &resource.Part[*serviceCIDR]{FreezeMetadata: true, Resets: []string{"metadata", "spec"}},
	})
}
