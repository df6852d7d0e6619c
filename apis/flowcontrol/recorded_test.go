package flowcontrol

import (
	"testing"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/recorded"
)

func TestAnswersAsRecorded(t *testing.T) {
	recorded.Check(t, map[string]recorded.Kind{
		"FlowSchema":                 recorded.Of(DefaultFlowSchema, ValidateFlowSchema, func(s, _ *flowcontrolv1.FlowSchema) field.ErrorList { return ValidateFlowSchema(s) }),
		"PriorityLevelConfiguration": recorded.Of(DefaultPriorityLevel, ValidatePriorityLevel, func(l, _ *flowcontrolv1.PriorityLevelConfiguration) field.ErrorList { return ValidatePriorityLevel(l) }),
	})
}
