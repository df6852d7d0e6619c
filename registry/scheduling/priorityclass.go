package scheduling

import (
	"context"
	"errors"

	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/coracle-k8s/coracle/apis/scheduling"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type priorityClass = schedulingv1.PriorityClass

// PriorityClasses name priorities of pods. Those of the system cannot be deleted.
func priorityClasses() *resource.Resource[*priorityClass] {
	return resource.Define(resource.Definition[*priorityClass]{
		Name: "priorityclasses", Short: []string{"pc"},
		Default:          scheduling.DefaultPriorityClass,
		PrepareForCreate: func(_ context.Context, c *priorityClass) { c.Generation = 1 },
		ValidateCreate:   scheduling.ValidatePriorityClass,
		ValidateUpdate:   scheduling.ValidatePriorityClassUpdate,
		BeforeDelete: func(_ context.Context, name string) error {
			if scheduling.IsSystemPriorityClass(name) {
				return apierrors.NewForbidden(schedulingv1.Resource("priorityclasses"), name, errors.New("this is a system priority class and cannot be deleted"))
			}
			return nil
		},
		Columns: []resource.Column[*priorityClass]{
			column.Name[*priorityClass](),
			{Name: "Value", Type: "integer", Description: schedulingv1.PriorityClass{}.SwaggerDoc()["value"], Cell: func(c *priorityClass) any { return int64(c.Value) }},
			{Name: "Global-Default", Type: "boolean", Description: schedulingv1.PriorityClass{}.SwaggerDoc()["globalDefault"], Cell: func(c *priorityClass) any { return c.GlobalDefault }},
			column.Age[*priorityClass](),
			{Name: "PreemptionPolicy", Description: schedulingv1.PriorityClass{}.SwaggerDoc()["preemptionPolicy"], Cell: func(c *priorityClass) any {
				return column.Text(c.PreemptionPolicy, "")
			}},
		},
	})
}
