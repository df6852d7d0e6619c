package metrics

import (
	"context"
	"time"

	"k8s.io/component-base/metrics"
	cri "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// operations are metrics of what the container runtime is asked for.
type operations struct {
	total, errors, sandboxErrors *metrics.CounterVec
	duration, sandboxDuration    *metrics.HistogramVec
}

func (m *Metrics) newOperations() operations {
	return operations{
		total:           m.counter("kubelet_runtime_operations_total", "Calls of the runtime, by operation.", "operation_type"),
		errors:          m.counter("kubelet_runtime_operations_errors_total", "Calls of the runtime that failed, by operation.", "operation_type"),
		duration:        m.histogram("kubelet_runtime_operations_duration_seconds", "Time that calls of the runtime took, by operation.", metrics.ExponentialBuckets(.005, 2.5, 14), "operation_type"),
		sandboxErrors:   m.counter("kubelet_run_podsandbox_errors_total", "Sandboxes that the runtime could not start, by its handler.", "runtime_handler"),
		sandboxDuration: m.histogram("kubelet_run_podsandbox_duration_seconds", "Time that starting a sandbox took, by the runtime's handler.", metrics.DefBuckets, "runtime_handler"),
	}
}

func (o *operations) record(operation string, began time.Time, err error) {
	o.total.WithLabelValues(operation).Inc()
	o.duration.WithLabelValues(operation).Observe(time.Since(began).Seconds())
	if err != nil {
		o.errors.WithLabelValues(operation).Inc()
	}
}

// Runtime counts what a runtime is asked for.
func (m *Metrics) Runtime(service cri.RuntimeService) cri.RuntimeService {
	return &countedRuntime{service, &m.runtime}
}

// Images counts what the runtime is asked for of images.
func (m *Metrics) Images(service cri.ImageManagerService) cri.ImageManagerService {
	return &countedImages{service, &m.runtime}
}

type countedRuntime struct {
	cri.RuntimeService
	*operations
}

// ask is an operation with an answer.
func ask[T any](o *operations, operation string, f func() (T, error)) (T, error) {
	began := time.Now()
	answer, err := f()
	o.record(operation, began, err)
	return answer, err
}

// do is an operation without an answer.
func do(o *operations, operation string, f func() error) error {
	began := time.Now()
	err := f()
	o.record(operation, began, err)
	return err
}

func (c *countedRuntime) Version(ctx context.Context, api string) (*runtimeapi.VersionResponse, error) {
	return ask(c.operations, "version", func() (*runtimeapi.VersionResponse, error) { return c.RuntimeService.Version(ctx, api) })
}

func (c *countedRuntime) Status(ctx context.Context, verbose bool) (*runtimeapi.StatusResponse, error) {
	return ask(c.operations, "status", func() (*runtimeapi.StatusResponse, error) { return c.RuntimeService.Status(ctx, verbose) })
}

func (c *countedRuntime) CreateContainer(ctx context.Context, sandbox string, config *runtimeapi.ContainerConfig, of *runtimeapi.PodSandboxConfig) (string, error) {
	return ask(c.operations, "create_container", func() (string, error) { return c.RuntimeService.CreateContainer(ctx, sandbox, config, of) })
}

func (c *countedRuntime) StartContainer(ctx context.Context, id string) error {
	return do(c.operations, "start_container", func() error { return c.RuntimeService.StartContainer(ctx, id) })
}

func (c *countedRuntime) StopContainer(ctx context.Context, id string, timeout int64) error {
	return do(c.operations, "stop_container", func() error { return c.RuntimeService.StopContainer(ctx, id, timeout) })
}

func (c *countedRuntime) RemoveContainer(ctx context.Context, id string) error {
	return do(c.operations, "remove_container", func() error { return c.RuntimeService.RemoveContainer(ctx, id) })
}

func (c *countedRuntime) ListContainers(ctx context.Context, filter *runtimeapi.ContainerFilter) ([]*runtimeapi.Container, error) {
	return ask(c.operations, "list_containers", func() ([]*runtimeapi.Container, error) { return c.RuntimeService.ListContainers(ctx, filter) })
}

func (c *countedRuntime) ContainerStatus(ctx context.Context, id string, verbose bool) (*runtimeapi.ContainerStatusResponse, error) {
	return ask(c.operations, "container_status", func() (*runtimeapi.ContainerStatusResponse, error) {
		return c.RuntimeService.ContainerStatus(ctx, id, verbose)
	})
}

func (c *countedRuntime) UpdateContainerResources(ctx context.Context, id string, r *runtimeapi.ContainerResources) error {
	return do(c.operations, "update_container", func() error { return c.RuntimeService.UpdateContainerResources(ctx, id, r) })
}

func (c *countedRuntime) ReopenContainerLog(ctx context.Context, id string) error {
	return do(c.operations, "reopen_container_log", func() error { return c.RuntimeService.ReopenContainerLog(ctx, id) })
}

func (c *countedRuntime) ExecSync(ctx context.Context, id string, command []string, timeout time.Duration) (stdout, stderr []byte, err error) {
	err = do(c.operations, "exec_sync", func() (err error) {
		stdout, stderr, err = c.RuntimeService.ExecSync(ctx, id, command, timeout)
		return err
	})
	return stdout, stderr, err
}

func (c *countedRuntime) Exec(ctx context.Context, r *runtimeapi.ExecRequest) (*runtimeapi.ExecResponse, error) {
	return ask(c.operations, "exec", func() (*runtimeapi.ExecResponse, error) { return c.RuntimeService.Exec(ctx, r) })
}

func (c *countedRuntime) Attach(ctx context.Context, r *runtimeapi.AttachRequest) (*runtimeapi.AttachResponse, error) {
	return ask(c.operations, "attach", func() (*runtimeapi.AttachResponse, error) { return c.RuntimeService.Attach(ctx, r) })
}

func (c *countedRuntime) PortForward(ctx context.Context, r *runtimeapi.PortForwardRequest) (*runtimeapi.PortForwardResponse, error) {
	return ask(c.operations, "port_forward", func() (*runtimeapi.PortForwardResponse, error) { return c.RuntimeService.PortForward(ctx, r) })
}

func (c *countedRuntime) RunPodSandbox(ctx context.Context, config *runtimeapi.PodSandboxConfig, handler string) (string, error) {
	began := time.Now()
	id, err := ask(c.operations, "run_podsandbox", func() (string, error) { return c.RuntimeService.RunPodSandbox(ctx, config, handler) })
	c.sandboxDuration.WithLabelValues(handler).Observe(time.Since(began).Seconds())
	if err != nil {
		c.sandboxErrors.WithLabelValues(handler).Inc()
	}
	return id, err
}

func (c *countedRuntime) StopPodSandbox(ctx context.Context, id string) error {
	return do(c.operations, "stop_podsandbox", func() error { return c.RuntimeService.StopPodSandbox(ctx, id) })
}

func (c *countedRuntime) RemovePodSandbox(ctx context.Context, id string) error {
	return do(c.operations, "remove_podsandbox", func() error { return c.RuntimeService.RemovePodSandbox(ctx, id) })
}

func (c *countedRuntime) PodSandboxStatus(ctx context.Context, id string, verbose bool) (*runtimeapi.PodSandboxStatusResponse, error) {
	return ask(c.operations, "podsandbox_status", func() (*runtimeapi.PodSandboxStatusResponse, error) {
		return c.RuntimeService.PodSandboxStatus(ctx, id, verbose)
	})
}

func (c *countedRuntime) ListPodSandbox(ctx context.Context, filter *runtimeapi.PodSandboxFilter) ([]*runtimeapi.PodSandbox, error) {
	return ask(c.operations, "list_podsandbox", func() ([]*runtimeapi.PodSandbox, error) { return c.RuntimeService.ListPodSandbox(ctx, filter) })
}

func (c *countedRuntime) ContainerStats(ctx context.Context, id string) (*runtimeapi.ContainerStats, error) {
	return ask(c.operations, "container_stats", func() (*runtimeapi.ContainerStats, error) { return c.RuntimeService.ContainerStats(ctx, id) })
}

func (c *countedRuntime) ListPodSandboxStats(ctx context.Context, filter *runtimeapi.PodSandboxStatsFilter) ([]*runtimeapi.PodSandboxStats, error) {
	return ask(c.operations, "list_podsandbox_stats", func() ([]*runtimeapi.PodSandboxStats, error) {
		return c.RuntimeService.ListPodSandboxStats(ctx, filter)
	})
}

func (c *countedRuntime) GetContainerEvents(ctx context.Context, events chan *runtimeapi.ContainerEventResponse, connected func(runtimeapi.RuntimeService_GetContainerEventsClient)) error {
	return do(c.operations, "get_container_events", func() error { return c.RuntimeService.GetContainerEvents(ctx, events, connected) })
}

type countedImages struct {
	cri.ImageManagerService
	*operations
}

func (c *countedImages) ListImages(ctx context.Context, filter *runtimeapi.ImageFilter) ([]*runtimeapi.Image, error) {
	return ask(c.operations, "list_images", func() ([]*runtimeapi.Image, error) { return c.ImageManagerService.ListImages(ctx, filter) })
}

func (c *countedImages) ImageStatus(ctx context.Context, image *runtimeapi.ImageSpec, verbose bool) (*runtimeapi.ImageStatusResponse, error) {
	return ask(c.operations, "image_status", func() (*runtimeapi.ImageStatusResponse, error) {
		return c.ImageManagerService.ImageStatus(ctx, image, verbose)
	})
}

func (c *countedImages) PullImage(ctx context.Context, image *runtimeapi.ImageSpec, auth *runtimeapi.AuthConfig, sandbox *runtimeapi.PodSandboxConfig) (string, error) {
	return ask(c.operations, "pull_image", func() (string, error) { return c.ImageManagerService.PullImage(ctx, image, auth, sandbox) })
}

func (c *countedImages) RemoveImage(ctx context.Context, image *runtimeapi.ImageSpec) error {
	return do(c.operations, "remove_image", func() error { return c.ImageManagerService.RemoveImage(ctx, image) })
}

func (c *countedImages) ImageFsInfo(ctx context.Context) (*runtimeapi.ImageFsInfoResponse, error) {
	return ask(c.operations, "image_fs_info", func() (*runtimeapi.ImageFsInfoResponse, error) { return c.ImageManagerService.ImageFsInfo(ctx) })
}
