package scheduling

import (
	"testing"

	"github.com/coracle-k8s/coracle/apis/recorded"
)

func TestAnswersAsRecorded(t *testing.T) {
	recorded.Check(t, map[string]recorded.Kind{
		"PriorityClass": recorded.Of(DefaultPriorityClass, ValidatePriorityClass, ValidatePriorityClassUpdate),
	})
}
