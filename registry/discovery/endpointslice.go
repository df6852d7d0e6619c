package discovery

import (
	"context"
	"strconv"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/discovery"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type slice = discoveryv1.EndpointSlice

// EndpointSlices list the addresses behind services. They have no spec: all but metadata is counted, and labels.
func endpointSlices() *resource.Resource[*slice] {
	return resource.Define(resource.Definition[*slice]{
		Name: "endpointslices", Namespaced: true,
		Default:          discovery.DefaultEndpointSlice,
		PrepareForCreate: func(_ context.Context, s *slice) { discovery.DropTopology(s, nil) },
		PrepareForUpdate: func(_ context.Context, s, old *slice) { discovery.DropTopology(s, old) },
		Generation:       func(s *slice) any { return []any{s.AddressType, s.Endpoints, s.Ports, s.Labels} },
		ValidateCreate:   discovery.ValidateEndpointSlice,
		ValidateUpdate:   discovery.ValidateEndpointSliceUpdate,
		Warnings:         warnings,
		Columns: []resource.Column[*slice]{
			{Name: "AddressType", Description: discoveryv1.EndpointSlice{}.SwaggerDoc()["addressType"], Cell: func(s *slice) any { return string(s.AddressType) }},
			{Name: "Ports", Description: discoveryv1.EndpointSlice{}.SwaggerDoc()["ports"], Cell: func(s *slice) any { return ports(s) }},
			{Name: "Endpoints", Description: discoveryv1.EndpointSlice{}.SwaggerDoc()["endpoints"], Cell: func(s *slice) any { return endpoints(s) }},
		},
	})
}

func warnings(_ context.Context, s, old *slice) (all []string) {
	if old == nil && s.AddressType == discoveryv1.AddressTypeFQDN {
		all = append(all, "spec.addressType: FQDN endpoints are deprecated")
	}
	switch s.Labels[discoveryv1.LabelManagedBy] {
	case "endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io":
		return all // they write what others wrote, whom it was told
	}
	for i := range s.Endpoints {
		for j, address := range s.Endpoints[i].Addresses {
			all = append(all, validation.GetWarningsForIP(field.NewPath("endpoints").Index(i).Child("addresses").Index(j), address)...)
		}
	}
	return all
}

func ports(s *slice) string {
	var all []string
	for _, p := range s.Ports {
		switch {
		case p.Port != nil:
			all = append(all, strconv.Itoa(int(*p.Port)))
		case p.Name != nil:
			all = append(all, *p.Name)
		default:
			all = append(all, "*")
		}
	}
	return few(all)
}

func endpoints(s *slice) string {
	var all []string
	for _, e := range s.Endpoints {
		all = append(all, e.Addresses...)
	}
	return few(all)
}

// few shows three of all.
func few(all []string) string {
	switch {
	case len(all) == 0:
		return "<unset>"
	case len(all) > 3:
		return strings.Join(all[:3], ",") + " + " + strconv.Itoa(len(all)-3) + " more..."
	}
	return strings.Join(all, ",")
}
