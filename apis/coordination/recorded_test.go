package coordination

import (
	"testing"

	"github.com/coracle-k8s/coracle/apis/recorded"
)

func TestAnswersAsRecorded(t *testing.T) {
	recorded.Check(t, map[string]recorded.Kind{
		"Lease": recorded.Of(nil, ValidateLease, nil),
	})
}
