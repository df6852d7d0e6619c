package discovery

import (
	"testing"

	"github.com/coracle-k8s/coracle/apis/recorded"
)

func TestAnswersAsRecorded(t *testing.T) {
	recorded.Check(t, map[string]recorded.Kind{
		"EndpointSlice": recorded.Of(DefaultEndpointSlice, ValidateEndpointSlice, ValidateEndpointSliceUpdate),
	})
}
