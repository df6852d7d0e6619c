package runtime

import (
	"context"
	"testing"
	"time"

	cri "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// wentBack is a runtime whose second sandbox and container are of an earlier time than the first: the clock went back in between.
type wentBack struct{ cri.RuntimeService }

var times = map[string]time.Time{"first": time.Unix(1e9, 0), "second": time.Unix(9e8, 0)}

func (wentBack) ListPodSandbox(context.Context, *runtimeapi.PodSandboxFilter) (list []*runtimeapi.PodSandbox, _ error) {
	for attempt, id := range []string{"first", "second"} {
		list = append(list, &runtimeapi.PodSandbox{
			Id: id, CreatedAt: times[id].UnixNano(), Metadata: &runtimeapi.PodSandboxMetadata{Attempt: uint32(attempt)},
			State: runtimeapi.PodSandboxState_SANDBOX_NOTREADY,
		})
	}
	return list, nil
}

func (wentBack) ListContainers(context.Context, *runtimeapi.ContainerFilter) ([]*runtimeapi.Container, error) {
	return []*runtimeapi.Container{{Id: "first"}, {Id: "second"}}, nil
}

func (wentBack) ContainerStatus(_ context.Context, id string, _ bool) (*runtimeapi.ContainerStatusResponse, error) {
	return &runtimeapi.ContainerStatusResponse{Status: &runtimeapi.ContainerStatus{
		Id: id, CreatedAt: times[id].UnixNano(), Labels: map[string]string{LabelContainerName: "c"},
		Annotations: map[string]string{annotationRestartCount: map[string]string{"first": "0", "second": "1"}[id]},
	}}, nil
}

func TestTheNewestIsNewestThoughTheClockWentBack(t *testing.T) {
	pod, err := NewObserver(wentBack{}).Observe(t.Context(), "u", nil)
	if err != nil {
		t.Fatal(err)
	}
	if s, c := pod.Sandbox().ID, pod.Container("c").ID; s != "second" || c != "second" {
		t.Errorf("sandbox %s and container %s are taken for the newest", s, c)
	}
}
