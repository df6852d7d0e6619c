package runtime

import (
	"context"
	"sync"
	"time"

	cri "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// linger is how long a call may go on after its caller has given it up.
const linger = 10 * time.Second

// Whole lets calls that make or remove something come to their end though their caller gives them up: one that is cut short leaves behind
// what neither it nor the runtime's lists know of. It knows when calls of those under way began.
type Whole struct {
	cri.RuntimeService
	// Ended is told of each of these calls, and must not block. May be nil.
	Ended func(err error)

	mu    sync.Mutex
	calls map[*time.Time]bool // when those under way began
}

// NewWhole wraps a runtime.
func NewWhole(service cri.RuntimeService) *Whole {
	return &Whole{RuntimeService: service, calls: map[*time.Time]bool{}}
}

// Before is a time before which everything that was begun has ended.
func (w *Whole) Before() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := time.Now()
	for began := range w.calls {
		if began.Before(before) {
			before = *began
		}
	}
	return before
}

// begin returns what the call is to be made with, and what must be called with its error.
func (w *Whole) begin(ctx context.Context) (context.Context, func(error)) {
	began := time.Now()
	w.mu.Lock()
	w.calls[&began] = true
	w.mu.Unlock()
	whole, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(linger, cancel) })
	return whole, func(err error) {
		stop()
		cancel()
		w.mu.Lock()
		delete(w.calls, &began)
		w.mu.Unlock()
		if w.Ended != nil {
			w.Ended(err)
		}
	}
}

// RunPodSandbox makes a sandbox.
func (w *Whole) RunPodSandbox(ctx context.Context, config *runtimeapi.PodSandboxConfig, handler string) (id string, err error) {
	ctx, end := w.begin(ctx)
	defer func() { end(err) }()
	return w.RuntimeService.RunPodSandbox(ctx, config, handler)
}

// StopPodSandbox ends what runs in a sandbox.
func (w *Whole) StopPodSandbox(ctx context.Context, id string) (err error) {
	ctx, end := w.begin(ctx)
	defer func() { end(err) }()
	return w.RuntimeService.StopPodSandbox(ctx, id)
}

// RemovePodSandbox removes a sandbox.
func (w *Whole) RemovePodSandbox(ctx context.Context, id string) (err error) {
	ctx, end := w.begin(ctx)
	defer func() { end(err) }()
	return w.RuntimeService.RemovePodSandbox(ctx, id)
}

// CreateContainer makes a container.
func (w *Whole) CreateContainer(ctx context.Context, sandbox string, config *runtimeapi.ContainerConfig, of *runtimeapi.PodSandboxConfig) (id string, err error) {
	ctx, end := w.begin(ctx)
	defer func() { end(err) }()
	return w.RuntimeService.CreateContainer(ctx, sandbox, config, of)
}

// StartContainer starts a container.
func (w *Whole) StartContainer(ctx context.Context, id string) (err error) {
	ctx, end := w.begin(ctx)
	defer func() { end(err) }()
	return w.RuntimeService.StartContainer(ctx, id)
}

// RemoveContainer removes a container.
func (w *Whole) RemoveContainer(ctx context.Context, id string) (err error) {
	ctx, end := w.begin(ctx)
	defer func() { end(err) }()
	return w.RuntimeService.RemoveContainer(ctx, id)
}
