package flowcontrol

import (
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"

	"github.com/coracle-k8s/coracle/apis/flowcontrol"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type flowSchema = flowcontrolv1.FlowSchema

// FlowSchemas sort requests into priority levels.
func flowSchemas() *resource.Resource[*flowSchema] {
	doc := flowcontrolv1.FlowSchemaSpec{}.SwaggerDoc()
	return resource.Define(resource.Definition[*flowSchema]{
		Name:       "flowschemas",
		Default:    flowcontrol.DefaultFlowSchema,
		Generation: func(s *flowSchema) any { return &s.Spec },
		Validate:   flowcontrol.ValidateFlowSchema,
		Columns: []resource.Column[*flowSchema]{
			column.Name[*flowSchema](),
			{Name: "PriorityLevel", Description: flowcontrolv1.PriorityLevelConfigurationReference{}.SwaggerDoc()["name"], Cell: func(s *flowSchema) any {
				return s.Spec.PriorityLevelConfiguration.Name
			}},
			{Name: "MatchingPrecedence", Description: doc["matchingPrecedence"], Cell: func(s *flowSchema) any { return int64(s.Spec.MatchingPrecedence) }},
			{Name: "DistinguisherMethod", Description: doc["distinguisherMethod"], Cell: func(s *flowSchema) any {
				if s.Spec.DistinguisherMethod == nil {
					return "<none>"
				}
				return string(s.Spec.DistinguisherMethod.Type)
			}},
			column.Age[*flowSchema](),
			{Name: "MissingPL", Description: "references a broken or non-existent PriorityLevelConfiguration", Cell: dangling},
		},
		CopyStatus: func(into, from *flowSchema) { into.Status = from.Status },
		Status: &resource.Part[*flowSchema]{
			FreezeMetadata: true,
			Validate:       flowcontrol.ValidateFlowSchemaStatus,
			Resets:         []string{"metadata", "spec"},
		},
	})
}

func dangling(s *flowSchema) any {
	for _, c := range s.Status.Conditions {
		if c.Type == flowcontrolv1.FlowSchemaConditionDangling {
			return string(c.Status)
		}
	}
	return "?"
}
