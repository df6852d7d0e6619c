package pods

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/kubelet/env"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
	"github.com/coracle-k8s/coracle/kubelet/status"
)

// startContainer starts an instance, and remembers why it could not.
func (r *run) startContainer(ctx context.Context, a startContainer) error {
	err := r.present(ctx)
	if err == nil {
		err = r.start(ctx, a)
		r.Metrics.ContainerStarted(kindOfContainer(r.pod, a.spec.Name), reasonOf(err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var why *Reasoned
	switch {
	case err == nil:
		delete(r.failures, a.spec.Name)
	case errors.As(err, &why) && ctx.Err() == nil:
		r.failures[a.spec.Name] = status.Waiting{Reason: why.Reason, Message: why.Error()}
	}
	if err != nil {
		return fmt.Errorf("starting container %s: %w", a.spec.Name, err)
	}
	return nil
}

func (r *run) start(ctx context.Context, a startContainer) error {
	c := a.spec
	began := time.Now()
	image, err := r.Images.Ensure(ctx, ImageRequest{
		Pod: r.pod, Image: c.Image, Policy: c.ImagePullPolicy, Sandbox: r.sandbox, About: Reference(r.pod, c),
	})
	r.waitedForImage(time.Since(began))
	if err != nil {
		return err
	}
	if ended := r.observed.Ended(c.Name); ended != nil {
		r.backoff.started(c, ended.FinishedAt, time.Now())
	}
	config, err := r.config(ctx, a, image)
	if err != nil {
		if ctx.Err() == nil {
			r.event(r.pod, c, corev1.EventTypeWarning, "Failed", "Error: %v", err)
		}
		return reasoned("CreateContainerConfigError", err)
	}
	r.pruneInstances(ctx, c.Name)
	id, err := r.Runtime.CreateContainer(ctx, r.sandboxID, config, r.sandbox)
	if err != nil {
		err = runtime.Said(err)
		if ctx.Err() == nil {
			r.event(r.pod, c, corev1.EventTypeWarning, "Failed", "Error: %v", err)
		}
		return reasoned("CreateContainerError", err)
	}
	r.event(r.pod, c, corev1.EventTypeNormal, "Created", "Container created")
	r.mu.Lock()
	r.actuated[c.Name] = *c.Resources.DeepCopy()
	hooked := c.Lifecycle != nil && c.Lifecycle.PostStart != nil
	if hooked {
		r.hooking[id] = true
	}
	r.mu.Unlock()
	if hooked {
		defer func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.hooking, id)
		}()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := r.Runtime.StartContainer(ctx, id); err != nil {
		err = runtime.Said(err)
		if ctx.Err() == nil {
			r.event(r.pod, c, corev1.EventTypeWarning, "Failed", "Error: %v", err)
		}
		return reasoned("RunContainerError", err)
	}
	r.event(r.pod, c, corev1.EventTypeNormal, "Started", "Container started")
	r.linkLog(ctx, c, id, a.restartCount)
	if err := r.postStart(ctx, c, id); err != nil {
		return r.failStart(ctx, a, id, err)
	}
	return nil
}

// failStart stops a container whose postStart hook failed.
func (r *run) failStart(ctx context.Context, a startContainer, id string, cause error) error {
	if ctx.Err() != nil {
		return cause
	}
	r.event(r.pod, a.spec, corev1.EventTypeWarning, "FailedPostStartHook", "PostStartHook failed")
	instance := &runtime.Container{ID: id, Name: a.spec.Name, State: runtime.Running}
	if err := r.stopOne(ctx, instance, a.spec, "FailedPostStartHook", graceSeconds(r.pod), nil); err != nil {
		klog.FromContext(ctx).Error(err, "Stopping a container whose hook failed", "container", a.spec.Name)
	}
	return reasoned("PostStartHookError", fmt.Errorf("PostStartHookError: %w", cause))
}

// config renders an instance's configuration.
func (r *run) config(ctx context.Context, a startContainer, image string) (*runtimeapi.ContainerConfig, error) {
	c := a.spec
	uid, username, err := r.ImageUser(ctx, image)
	if err != nil {
		return nil, err
	}
	if err := allowedUser(r.pod, c, uid, username); err != nil {
		return nil, err
	}
	environment, err := r.environment(c)
	if err != nil {
		return nil, err
	}
	mounts, err := r.mounts(ctx, a, environment)
	if err != nil {
		return nil, err
	}
	devices, err := r.Volumes.Devices(r.pod, c)
	if err != nil {
		return nil, err
	}
	command, args := environment.Command(c)
	target := ""
	if a.target != "" {
		running := r.observed.Container(a.target)
		if running == nil || running.State != runtime.Running {
			return nil, fmt.Errorf("unable to find target container %v", a.target)
		}
		target = running.ID
	}
	return runtime.ContainerConfig(runtime.ContainerInput{
		Pod: r.pod, Container: c, RestartCount: a.restartCount, ImageRef: image,
		Command: command, Args: args, Env: environment.KeyValues(), Mounts: mounts,
		Devices: devices, Resources: r.Resources.Container(r.pod, c), TargetID: target,
		SupplementalGroups: r.Volumes.SupplementalGroups(r.pod),
		ImageUID:           uid, ImageUsername: username, SeccompRoot: r.SeccompDir, UserNS: r.userNS,
	}), nil
}

func (r *run) environment(c *corev1.Container) (*env.Environment, error) {
	if !r.ServicesSynced() {
		return nil, fmt.Errorf("services have not yet been read at least once, cannot construct envvars")
	}
	return env.Make(env.Source{
		Pod: r.pod, Node: r.nodeFacts(), PodIPs: r.podIPs, Services: r.Services(),
		ConfigMap: func(name string) (*corev1.ConfigMap, error) { return r.Objects.ConfigMap(r.pod.Namespace, name) },
		Secret:    func(name string) (*corev1.Secret, error) { return r.Objects.Secret(r.pod.Namespace, name) },
		File: func(volume, path, key string) (string, bool, error) {
			return r.Volumes.EnvFile(r.pod, volume, path, key)
		},
	}, c)
}

// allowedUser refuses to run as root what must not.
func allowedUser(pod *corev1.Pod, c *corev1.Container, imageUID *int64, imageUser string) error {
	sc := runtime.EffectiveSecurity(pod, c)
	if sc.RunAsNonRoot == nil || !*sc.RunAsNonRoot {
		return nil
	}
	switch {
	case sc.RunAsUser != nil && *sc.RunAsUser == 0:
		return fmt.Errorf("container's runAsUser breaks non-root policy (pod: %q, container: %s)", podTitle(pod), c.Name)
	case sc.RunAsUser != nil:
		return nil
	case imageUID != nil && *imageUID == 0:
		return fmt.Errorf("container has runAsNonRoot and image will run as root (pod: %q, container: %s)", podTitle(pod), c.Name)
	case imageUID == nil && imageUser != "":
		return fmt.Errorf("container has runAsNonRoot and image has non-numeric user (%s), cannot verify user is non-root (pod: %q, container: %s)",
			imageUser, podTitle(pod), c.Name)
	}
	return nil
}

func podTitle(pod *corev1.Pod) string {
	return fmt.Sprintf("%s_%s(%s)", pod.Name, pod.Namespace, pod.UID)
}

// mounts are a container's volumes, and the files that the kubelet itself gives it.
func (r *run) mounts(ctx context.Context, a startContainer, e *env.Environment) ([]*runtimeapi.Mount, error) {
	c := a.spec
	mounts, err := r.Volumes.Mounts(ctx, r.pod, c, e.SubPath)
	if err != nil {
		return nil, err
	}
	hosts, err := r.hostsMount(c)
	if err != nil {
		return nil, err
	}
	if hosts != nil {
		mounts = append(mounts, hosts)
	}
	message, err := r.messageMount(c, a.restartCount)
	if err != nil {
		return nil, err
	}
	if message != nil {
		mounts = append(mounts, message)
	}
	return mounts, nil
}

// messageMount gives a container the file that it writes its last words to.
func (r *run) messageMount(c *corev1.Container, restartCount int) (*runtimeapi.Mount, error) {
	if c.TerminationMessagePath == "" {
		return nil, nil
	}
	path := r.messageFile(r.pod.UID, c.Name, restartCount)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, err
	}
	// The container may run as any user; the umask must not take that away.
	err = errors.Join(f.Chmod(0o666), f.Close())
	return &runtimeapi.Mount{HostPath: path, ContainerPath: c.TerminationMessagePath}, err
}
