package pods

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/kubelet/probes"
)

// hookTimeout bounds a postStart command; its container counts as starting that long at most.
const hookTimeout = 15 * time.Minute

// postStart runs a container's hook. The container does not count as started before it ends.
// https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/
func (r *run) postStart(ctx context.Context, c *corev1.Container, id string) error {
	if c.Lifecycle == nil || c.Lifecycle.PostStart == nil {
		return nil
	}
	return r.hook(ctx, c, id, c.Lifecycle.PostStart, hookTimeout)
}

// preStop runs a container's hook for as long as the container's grace period lasts. A hook that fails keeps nothing
// from being stopped.
func (r *run) preStop(ctx context.Context, c *corev1.Container, id string, limit time.Duration) {
	if c.Lifecycle == nil || c.Lifecycle.PreStop == nil || limit <= 0 {
		return
	}
	if err := r.hook(ctx, c, id, c.Lifecycle.PreStop, limit); err != nil && ctx.Err() == nil {
		klog.FromContext(ctx).Info("PreStop hook failed", "container", c.Name, "error", err)
		r.event(r.pod, c, corev1.EventTypeWarning, "FailedPreStopHook", "PreStopHook failed")
	}
}

func (r *run) hook(ctx context.Context, c *corev1.Container, id string, h *corev1.LifecycleHandler, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	switch {
	case h.Exec != nil:
		stdout, stderr, err := r.Runtime.ExecSync(ctx, id, h.Exec.Command, limit)
		if err != nil {
			return fmt.Errorf("Exec lifecycle hook (%s) for Container %q in Pod %q failed - error: %w, message: %q",
				h.Exec.Command, c.Name, klog.KObj(r.pod), err, string(stdout)+string(stderr))
		}
		return nil
	case h.HTTPGet != nil:
		return probes.HTTPHook(ctx, r.pod, c, h.HTTPGet, r.address())
	case h.Sleep != nil:
		select {
		case <-time.After(time.Duration(h.Sleep.Seconds) * time.Second):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("invalid handler: %v", h)
}

func (r *run) address() string {
	if len(r.podIPs) > 0 {
		return r.podIPs[0]
	}
	if ips := r.observed.IPs(); len(ips) > 0 {
		return ips[0]
	}
	if r.pod.Spec.HostNetwork && len(r.HostIPs) > 0 {
		return r.HostIPs[0]
	}
	return r.pod.Status.PodIP
}
