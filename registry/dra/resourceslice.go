package dra

import (
	"context"
	"fmt"
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/dra"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type slice = resourcev1.ResourceSlice

// ResourceSlices say which devices there are, and where.
func resourceSlices() *resource.Resource[*slice] {
	doc := resourcev1.ResourceSliceSpec{}.SwaggerDoc()
	return resource.Define(resource.Definition[*slice]{
		Name:           "resourceslices",
		Default:        func(s *slice) { dra.DefaultResourceSlice(s, metav1.Now()) },
		Gated:          dra.GatedSlice(),
		Generation:     func(s *slice) any { return &s.Spec },
		ValidateCreate: func(s *slice) field.ErrorList { return dra.ValidateSlice(s, nil) },
		ValidateUpdate: dra.ValidateSlice,
		ReturnDeleted:  true,
		Warnings: func(_ context.Context, s, _ *slice) []string {
			if s.Spec.Driver == strings.ToLower(s.Spec.Driver) {
				return nil
			}
			return []string{fmt.Sprintf("spec.driver: driver names should be lowercase; %q contains uppercase characters", s.Spec.Driver)}
		},
		UnknownField: "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: %s",
		Fields: []resource.Field[*slice]{
			{Path: resourcev1.ResourceSliceSelectorNodeName, Indexed: true, Value: func(s *slice) string { return column.Text(s.Spec.NodeName, "") }},
			{Path: resourcev1.ResourceSliceSelectorPoolName, Value: func(s *slice) string { return s.Spec.Pool.Name }},
			{Path: resourcev1.ResourceSliceSelectorDriver, Value: func(s *slice) string { return s.Spec.Driver }},
		},
		Columns: []resource.Column[*slice]{
			{Name: "Node", Description: doc["nodeName"], Cell: func(s *slice) any { return column.Text(s.Spec.NodeName, "") }},
			{Name: "Driver", Description: doc["driver"], Cell: func(s *slice) any { return s.Spec.Driver }},
			{Name: "Pool", Description: resourcev1.ResourcePool{}.SwaggerDoc()["name"], Cell: func(s *slice) any { return s.Spec.Pool.Name }},
		},
	})
}
