// Package runtime is the kubelet's view of the container runtime: what it holds of each Pod, and the
// configuration by which Pods become sandboxes and containers. It speaks the CRI and nothing else.
package runtime

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// State is what a container is doing.
type State string

// The states of a container. Created means that it was never started, or that starting it failed.
const (
	Created State = "created"
	Running State = "running"
	Exited  State = "exited"
	Unknown State = "unknown"
)

// Pod is what the runtime holds of one Pod at one moment. It is not changed after it was made.
type Pod struct {
	UID             types.UID
	Namespace, Name string
	// Sandboxes and Containers are ordered newest first.
	Sandboxes  []*Sandbox
	Containers []*Container
}

// Sandbox is one attempt at a Pod's shared namespaces.
type Sandbox struct {
	ID          string
	Ready       bool
	Attempt     uint32
	HostNetwork bool
	IPs         []string
	CreatedAt   time.Time
}

// Container is one instance of a Pod's container, running or not.
type Container struct {
	ID, Name, SandboxID string
	State               State
	Image, ImageID      string
	ImageRef            string
	Hash                string
	RestartCount        int
	CreatedAt           time.Time
	StartedAt           time.Time
	FinishedAt          time.Time
	ExitCode            int32
	Reason, Message     string
	LogPath             string
	Resources           *runtimeapi.ContainerResources
	User                *runtimeapi.ContainerUser
	StopSignal          runtimeapi.Signal
	Mounts              []*runtimeapi.Mount

	annotations map[string]string
}

// Sandbox returns the newest sandbox, nil where there is none.
func (p *Pod) Sandbox() *Sandbox {
	if p == nil || len(p.Sandboxes) == 0 {
		return nil
	}
	return p.Sandboxes[0]
}

// IPs returns the addresses of the newest ready sandbox.
func (p *Pod) IPs() []string {
	if s := p.Sandbox(); s != nil && s.Ready {
		return s.IPs
	}
	return nil
}

// Container returns the newest container of that name, nil where there is none.
func (p *Pod) Container(name string) *Container {
	if p == nil {
		return nil
	}
	for _, c := range p.Containers {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Ended returns the newest ended container of that name, nil where there is none.
func (p *Pod) Ended(name string) *Container {
	if p == nil {
		return nil
	}
	for _, c := range p.Containers {
		if c.Name == name && c.State == Exited {
			return c
		}
	}
	return nil
}

// Alive returns the containers that run, or may run.
func (p *Pod) Alive() []*Container {
	var alive []*Container
	if p == nil {
		return nil
	}
	for _, c := range p.Containers {
		if c.State == Running || c.State == Unknown {
			alive = append(alive, c)
		}
	}
	return alive
}

// HasReadySandbox tells whether any sandbox is still up.
func (p *Pod) HasReadySandbox() bool {
	if p == nil {
		return false
	}
	for _, s := range p.Sandboxes {
		if s.Ready {
			return true
		}
	}
	return false
}

// NeedsSandbox tells whether a new sandbox must replace what there is, and its attempt number.
func (p *Pod) NeedsSandbox(pod *corev1.Pod) (bool, uint32) {
	newest := p.Sandbox()
	if newest == nil {
		return true, 0
	}
	ready := 0
	for _, s := range p.Sandboxes {
		if s.Ready {
			ready++
		}
	}
	switch {
	case ready != 1, !newest.Ready,
		newest.HostNetwork != pod.Spec.HostNetwork,
		!pod.Spec.HostNetwork && len(newest.IPs) == 0:
		return true, newest.Attempt + 1
	}
	return false, newest.Attempt
}
