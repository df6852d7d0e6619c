package pods

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/types"
	cri "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// testRuntime remembers what it was asked to run. What it does not implement panics. Starting and stopping may be made to fail, and
// it may be made to say nothing of what happens.
type testRuntime struct {
	cri.RuntimeService

	mu         sync.Mutex
	sandboxes  []*runtimeapi.PodSandbox
	containers []*testContainer
	starting   map[string]error // by container name
	stopping   error
	unplugging error // how taking down a sandbox's network ends
	stops      int
	lists      int
	// slowStart and slowList are how long it takes to start a container, and to answer what there is.
	slowStart, slowList time.Duration
	// calls are what was asked for, in order: create main/0, remove main/0.
	calls []string
	// events are sent to whoever listens.
	events chan *runtimeapi.ContainerEventResponse
}

type testContainer struct {
	*runtimeapi.ContainerStatus
	sandbox string
}

func (c *testContainer) name() string {
	return fmt.Sprintf("%s/%d", c.Metadata.Name, c.Metadata.Attempt)
}

func (r *testRuntime) GetContainerEvents(ctx context.Context, to chan *runtimeapi.ContainerEventResponse, connected func(runtimeapi.RuntimeService_GetContainerEventsClient)) error {
	connected(nil)
	for {
		select {
		case e := <-r.events:
			to <- e
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func matches(labels map[string]string, selector map[string]string) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// asked is how many lists were asked for.
func (r *testRuntime) asked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lists
}

func (r *testRuntime) ListPodSandbox(_ context.Context, f *runtimeapi.PodSandboxFilter) (list []*runtimeapi.PodSandbox, _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lists++
	for _, s := range r.sandboxes {
		if matches(s.Labels, f.GetLabelSelector()) {
			list = append(list, &runtimeapi.PodSandbox{Id: s.Id, Metadata: s.Metadata, Labels: s.Labels, State: s.State, CreatedAt: s.CreatedAt})
		}
	}
	return list, nil
}

func (r *testRuntime) PodSandboxStatus(_ context.Context, id string, _ bool) (*runtimeapi.PodSandboxStatusResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sandboxes {
		if s.Id == id {
			network := &runtimeapi.PodSandboxNetworkStatus{Ip: "10.0.0.1"}
			return &runtimeapi.PodSandboxStatusResponse{Status: &runtimeapi.PodSandboxStatus{Id: id, State: s.State, Network: network}}, nil
		}
	}
	return nil, grpcstatus.Error(codes.NotFound, id)
}

func (r *testRuntime) RunPodSandbox(_ context.Context, c *runtimeapi.PodSandboxConfig, _ string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := fmt.Sprintf("%s-%d", c.Metadata.Uid, c.Metadata.Attempt)
	r.sandboxes = append(r.sandboxes, &runtimeapi.PodSandbox{
		Id: id, Metadata: c.Metadata, Labels: c.Labels, State: runtimeapi.PodSandboxState_SANDBOX_READY, CreatedAt: time.Now().UnixNano(),
	})
	return id, nil
}

func (r *testRuntime) StopPodSandbox(_ context.Context, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sandboxes {
		if s.Id == id {
			s.State = runtimeapi.PodSandboxState_SANDBOX_NOTREADY
		}
	}
	r.calls = append(r.calls, "stop sandbox")
	return r.unplugging
}

func (r *testRuntime) RemovePodSandbox(_ context.Context, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sandboxes = slices.DeleteFunc(r.sandboxes, func(s *runtimeapi.PodSandbox) bool { return s.Id == id })
	return nil
}

func (r *testRuntime) ListContainers(_ context.Context, f *runtimeapi.ContainerFilter) (list []*runtimeapi.Container, _ error) {
	r.mu.Lock()
	defer func(slow time.Duration) { time.Sleep(slow) }(r.slowList)
	defer r.mu.Unlock()
	r.lists++
	for _, c := range r.containers {
		if matches(c.Labels, f.GetLabelSelector()) {
			list = append(list, &runtimeapi.Container{Id: c.Id, PodSandboxId: c.sandbox, Metadata: c.Metadata, Labels: c.Labels, State: c.State, CreatedAt: c.CreatedAt})
		}
	}
	return list, nil
}

func (r *testRuntime) ContainerStatus(_ context.Context, id string, _ bool) (*runtimeapi.ContainerStatusResponse, error) {
	r.mu.Lock()
	defer func(slow time.Duration) { time.Sleep(slow) }(r.slowList)
	defer r.mu.Unlock()
	if c := r.find(id); c != nil {
		return &runtimeapi.ContainerStatusResponse{Status: proto.Clone(c.ContainerStatus).(*runtimeapi.ContainerStatus)}, nil
	}
	return nil, grpcstatus.Error(codes.NotFound, id)
}

// find returns a container by its ID. The lock is held.
func (r *testRuntime) find(id string) *testContainer {
	for _, c := range r.containers {
		if c.Id == id {
			return c
		}
	}
	return nil
}

func (r *testRuntime) CreateContainer(_ context.Context, sandbox string, c *runtimeapi.ContainerConfig, s *runtimeapi.PodSandboxConfig) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	made := &testContainer{sandbox: sandbox, ContainerStatus: &runtimeapi.ContainerStatus{
		Id: fmt.Sprintf("%s-%s-%d-%d", sandbox, c.Metadata.Name, c.Metadata.Attempt, len(r.calls)), Metadata: c.Metadata, Image: c.Image, ImageRef: c.Image.Image,
		Labels: c.Labels, Annotations: c.Annotations, CreatedAt: time.Now().UnixNano() + int64(len(r.calls)), LogPath: s.LogDirectory + "/" + c.LogPath,
		State: runtimeapi.ContainerState_CONTAINER_CREATED,
	}}
	r.containers = append(r.containers, made)
	r.calls = append(r.calls, "create "+made.name())
	return made.Id, nil
}

func (r *testRuntime) StartContainer(ctx context.Context, id string) error {
	select {
	case <-time.After(r.slowStart):
	case <-ctx.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.find(id)
	c.StartedAt = time.Now().UnixNano()
	if err := errors.Join(r.starting[c.Metadata.Name], ctx.Err()); err != nil {
		// As the runtime does: a container that cannot be started has ended.
		c.State, c.ExitCode, c.Reason, c.FinishedAt = runtimeapi.ContainerState_CONTAINER_EXITED, 128, "StartError", time.Now().UnixNano()
		return err
	}
	c.State = runtimeapi.ContainerState_CONTAINER_RUNNING
	return nil
}

func (r *testRuntime) StopContainer(_ context.Context, id string, _ int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stops++; r.stopping != nil {
		return r.stopping
	}
	c := r.find(id)
	r.calls = append(r.calls, "stop "+c.name())
	r.ended(c, 137)
	return nil
}

func (r *testRuntime) RemoveContainer(_ context.Context, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.find(id); c != nil {
		r.calls = append(r.calls, "remove "+c.name())
	}
	r.containers = slices.DeleteFunc(r.containers, func(c *testContainer) bool { return c.Id == id })
	return nil
}

// ended says that a container has. The lock is held.
func (r *testRuntime) ended(c *testContainer, code int32) {
	if c.State == runtimeapi.ContainerState_CONTAINER_RUNNING {
		c.State, c.ExitCode, c.FinishedAt = runtimeapi.ContainerState_CONTAINER_EXITED, code, time.Now().UnixNano()
	}
}

// end makes a container of a Pod end.
func (r *testRuntime) end(pod types.UID, name string, code int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.containers {
		if c.Labels[runtime.LabelPodUID] == string(pod) && c.Metadata.Name == name {
			r.ended(c, code)
		}
	}
}

// instances counts what there is of a container.
func (r *testRuntime) instances(name string) (count int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.containers {
		if c.Metadata.Name == name {
			count++
		}
	}
	return count
}
