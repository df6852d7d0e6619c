package core

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type endpointsObject = corev1.Endpoints

// Endpoints list where a service leads to, in the form that EndpointSlices replaced.
func endpoints() *resource.Resource[*endpointsObject] {
	return resource.Define(resource.Definition[*endpointsObject]{
		Name: "endpoints", Short: []string{"ep"}, Namespaced: true,
		Default:        core.DefaultEndpoints,
		ValidateCreate: func(e *endpointsObject) field.ErrorList { return core.ValidateEndpoints(e, nil) },
		ValidateUpdate: core.ValidateEndpoints,
		Warnings:       func(_ context.Context, e, _ *endpointsObject) []string { return core.EndpointsWarnings(e) },
		CreateOnUpdate: true,
		Columns: []resource.Column[*endpointsObject]{
			{Name: "Endpoints", Description: endpointsObject{}.SwaggerDoc()["subsets"], Cell: func(e *endpointsObject) any { return firstEndpoints(e, 3) }},
		},
	})
}

// firstEndpoints shows at most n addresses and says how many more there are.
func firstEndpoints(e *endpointsObject, n int) string {
	var shown []string
	count := 0
	add := func(address string) {
		if count++; count <= n {
			shown = append(shown, address)
		}
	}
	for i := range e.Subsets {
		s := &e.Subsets[i]
		for _, p := range s.Ports {
			for _, a := range s.Addresses {
				add(net.JoinHostPort(a.IP, strconv.Itoa(int(p.Port))))
			}
		}
		if len(s.Ports) == 0 { // of a headless service
			for _, a := range s.Addresses {
				add(a.IP)
			}
		}
	}
	switch {
	case len(e.Subsets) == 0:
		return "<none>"
	case count > n:
		return fmt.Sprintf("%s + %d more...", strings.Join(shown, ","), count-n)
	}
	return strings.Join(shown, ",")
}
