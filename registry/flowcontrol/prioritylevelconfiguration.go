package flowcontrol

import (
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"

	"github.com/coracle-k8s/coracle/apis/flowcontrol"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type priorityLevel = flowcontrolv1.PriorityLevelConfiguration

// PriorityLevelConfigurations say how many requests may run at a time, and how others wait.
func priorityLevelConfigurations() *resource.Resource[*priorityLevel] {
	queuing := func(name, path string, of func(*flowcontrolv1.QueuingConfiguration) int32) resource.Column[*priorityLevel] {
		return resource.Column[*priorityLevel]{Name: name, Description: flowcontrolv1.QueuingConfiguration{}.SwaggerDoc()[path], Cell: func(l *priorityLevel) any {
			if l.Spec.Limited == nil || l.Spec.Limited.LimitResponse.Queuing == nil {
				return "<none>"
			}
			return int64(of(l.Spec.Limited.LimitResponse.Queuing))
		}}
	}
	return resource.Define(resource.Definition[*priorityLevel]{
		Name:       "prioritylevelconfigurations",
		Default:    flowcontrol.DefaultPriorityLevel,
		Generation: func(l *priorityLevel) any { return &l.Spec },
		Validate:   flowcontrol.ValidatePriorityLevel,
		Columns: []resource.Column[*priorityLevel]{
			{Name: "Type", Description: flowcontrolv1.PriorityLevelConfigurationSpec{}.SwaggerDoc()["type"], Cell: func(l *priorityLevel) any { return string(l.Spec.Type) }},
			{Name: "NominalConcurrencyShares", Description: flowcontrolv1.LimitedPriorityLevelConfiguration{}.SwaggerDoc()["nominalConcurrencyShares"], Cell: func(l *priorityLevel) any {
				if l.Spec.Limited == nil {
					return "<none>"
				}
				return column.Int(l.Spec.Limited.NominalConcurrencyShares)
			}},
			queuing("Queues", "queues", func(q *flowcontrolv1.QueuingConfiguration) int32 { return q.Queues }),
			queuing("HandSize", "handSize", func(q *flowcontrolv1.QueuingConfiguration) int32 { return q.HandSize }),
			queuing("QueueLengthLimit", "queueLengthLimit", func(q *flowcontrolv1.QueuingConfiguration) int32 { return q.QueueLengthLimit }),
		},
		CopyStatus: func(into, from *priorityLevel) { into.Status = from.Status },
		Status: &resource.Part[*priorityLevel]{
			FreezeMetadata: true,
			Validate:       flowcontrol.ValidatePriorityLevelStatus,
			Resets:         []string{"metadata", "spec"},
		},
	})
}
