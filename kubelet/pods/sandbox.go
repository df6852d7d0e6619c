package pods

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// podDir is the directory of a Pod's own files; termination messages and the hosts file are there.
func (m *Manager) podDir(pod *corev1.Pod) string {
	return filepath.Join(m.PodsDir, string(pod.UID))
}

func (r *run) makeDirectories(context.Context) error {
	for _, dir := range []string{r.podDir(r.pod), filepath.Join(r.podDir(r.pod), "containers")} {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return err
		}
	}
	return os.MkdirAll(runtime.PodLogDir(r.PodLogsDir, r.pod), 0o755)
}

func (r *run) makeCgroup(context.Context) error {
	parent, err := r.Resources.Create(r.pod)
	if err != nil {
		r.event(r.pod, nil, corev1.EventTypeWarning, "FailedToCreatePodContainer", "unable to ensure pod container exists: %v", err)
		return err
	}
	r.sandbox = &runtimeapi.PodSandboxConfig{Linux: &runtimeapi.LinuxPodSandboxConfig{CgroupParent: parent}}
	return nil
}

func (r *run) mountVolumes(ctx context.Context) error {
	err := r.Volumes.Mount(ctx, r.pod)
	if err != nil && ctx.Err() == nil {
		r.event(r.pod, nil, corev1.EventTypeWarning, "FailedMount", "%v", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.volumesKept = err == nil
	return err
}

func (r *run) configureSandbox(context.Context) error {
	dns, err := r.dns.config(r.pod)
	if err != nil {
		return err
	}
	if r.pod.Spec.DNSPolicy == corev1.DNSClusterFirst && len(r.ClusterDNS) == 0 && !r.pod.Spec.HostNetwork {
		r.event(r.pod, nil, corev1.EventTypeWarning, "MissingClusterDNS",
			"pod: %q. kubelet does not have ClusterDNS IP configured and cannot create Pod using %q policy. Falling back to %q policy.",
			r.pod.Name, corev1.DNSClusterFirst, corev1.DNSDefault)
	}
	users, err := r.users.of(r.pod)
	if err != nil {
		return err
	}
	r.userNS = users
	hostname, _ := r.hostname(r.pod)
	attempt := uint32(0)
	if s := r.observed.Sandbox(); s != nil {
		attempt = s.Attempt
	}
	r.sandbox = runtime.SandboxConfig(runtime.SandboxInput{
		Pod: r.pod, Attempt: attempt, Hostname: hostname, DNS: dns,
		LogDirectory: runtime.PodLogDir(r.PodLogsDir, r.pod),
		CgroupParent: r.sandbox.Linux.CgroupParent,
		Resources:    r.Resources.Pod(r.pod),
		Seccomp:      r.sandboxSeccomp(),
		UserNS:       users,
	})
	return nil
}

// sandboxSeccomp is for the default runtime: what another one does in a sandbox is its own.
func (r *run) sandboxSeccomp() string {
	if r.pod.Spec.RuntimeClassName != nil {
		return ""
	}
	return r.SandboxSeccomp
}

// hostname is the name that a Pod's containers see, and its full name where it has a subdomain.
// https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-hostname-and-subdomain-fields
func (m *Manager) hostname(pod *corev1.Pod) (name, domain string) {
	if o := pod.Spec.HostnameOverride; o != nil && *o != "" {
		return *o, ""
	}
	name = pod.Name
	if pod.Spec.Hostname != "" {
		name = pod.Spec.Hostname
	} else if len(name) > maxHostname {
		name = strings.TrimRight(name[:maxHostname], "-.")
	}
	if pod.Spec.Subdomain != "" {
		domain = fmt.Sprintf("%s.%s.svc.%s", pod.Spec.Subdomain, pod.Namespace, m.ClusterDomain)
	}
	if pod.Spec.SetHostnameAsFQDN != nil && *pod.Spec.SetHostnameAsFQDN && domain != "" {
		name += "." + domain
	}
	return name, domain
}

// maxHostname is the kernel's limit, without the final nought.
const maxHostname = 63

func (r *run) startSandbox(ctx context.Context, a startSandbox) error {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if err := r.stopOld(ctx); err != nil {
		return err
	}
	r.sandbox.Metadata.Attempt = a.attempt
	if len(r.sandbox.Hostname) > maxHostname+1 {
		err := fmt.Errorf("failed to construct FQDN from pod hostname and cluster domain, FQDN %s is too long (%d characters is the max, %d characters requested)",
			r.sandbox.Hostname, maxHostname+1, len(r.sandbox.Hostname))
		r.event(r.pod, nil, corev1.EventTypeWarning, "FailedCreatePodSandBox", "%v", err)
		return err
	}
	handler, err := r.RuntimeHandler(r.pod)
	if err != nil {
		r.event(r.pod, nil, corev1.EventTypeWarning, "FailedCreatePodSandBox", "Failed to create pod sandbox: %v", err)
		return err
	}
	id, err := r.Runtime.RunPodSandbox(ctx, r.sandbox, handler)
	r.Metrics.SandboxStarted(err, r.userNS != nil)
	if err != nil {
		if ctx.Err() == nil {
			r.event(r.pod, nil, corev1.EventTypeWarning, "FailedCreatePodSandBox", "Failed to create pod sandbox: %v", err)
		}
		return fmt.Errorf("creating sandbox: %w", err)
	}
	r.sandboxID = id
	return nil
}

// stopOld stops what earlier sandboxes still run; a Pod must never run twice.
func (r *run) stopOld(ctx context.Context) error {
	if r.observed.Sandbox() != nil && r.observed.Sandbox().Attempt < maxRecorded && (len(r.observed.Alive()) > 0 || r.observed.HasReadySandbox()) {
		r.event(r.pod, nil, corev1.EventTypeNormal, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
	}
	if err := r.stopContainers(ctx, graceSeconds(r.pod)); err != nil {
		return err
	}
	if err := r.stopSandboxes(ctx); err != nil {
		return err
	}
	r.removeEmptySandboxes(ctx)
	return nil
}

// maxRecorded bounds Events about sandboxes that keep dying.
const maxRecorded = 1 << 16

// removeEmptySandboxes removes stopped sandboxes that hold no container; what does not work now is done at the end.
func (r *run) removeEmptySandboxes(ctx context.Context) {
	used := map[string]bool{}
	for _, c := range r.observed.Containers {
		used[c.SandboxID] = true
	}
	for _, s := range r.observed.Sandboxes {
		if !used[s.ID] && r.Runtime.RemovePodSandbox(ctx, s.ID) != nil {
			continue
		}
	}
}
