package pods

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// run is one batch of actions on a Pod.
type run struct {
	*worker
	pod      *corev1.Pod
	observed *runtime.Pod

	prepared   bool
	unprepared error
	sandboxID  string
	sandbox    *runtimeapi.PodSandboxConfig
	podIPs     []string
	userNS     *runtimeapi.UserNamespace
}

func (r *run) do(ctx context.Context, a action) error {
	switch a := a.(type) {
	case startSandbox:
		return r.startSandbox(ctx, a)
	case startContainer:
		return r.startContainer(ctx, a)
	case stopContainer:
		return r.stopContainer(ctx, a)
	case stopPod:
		return r.stopPod(ctx)
	case keepVolumes:
		return r.mountVolumes(ctx)
	case restartAll:
		return r.restartAll(ctx, a)
	case resize:
		return r.resize(ctx, a)
	}
	return fmt.Errorf("unknown action %T", a)
}

// prepare takes the steps that come before anything is started in a Pod. Each can be repeated, and each is undone by
// conclude whether it was taken or not. A batch takes them once: what is not ready for one container is not for the next.
func (r *run) prepare(ctx context.Context) error {
	if !r.prepared {
		r.prepared, r.unprepared = true, r.takeSteps(ctx)
	}
	return r.unprepared
}

func (r *run) takeSteps(ctx context.Context) error {
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"directories", r.makeDirectories},
		{"resources", r.makeCgroup},
		{"volumes", r.mountVolumes},
		{"sandbox configuration", r.configureSandbox},
	}
	for _, step := range steps {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("preparing %s: %w", step.name, err)
		}
	}
	return nil
}

// present fills in what the sandbox that is already there has.
func (r *run) present(ctx context.Context) error {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if r.sandboxID == "" {
		s := r.observed.Sandbox()
		if s == nil {
			return fmt.Errorf("no sandbox")
		}
		r.sandboxID, r.podIPs = s.ID, s.IPs
	}
	if r.pod.Spec.HostNetwork {
		r.podIPs = r.HostIPs
	}
	return nil
}
