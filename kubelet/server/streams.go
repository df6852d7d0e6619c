package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/proxy"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
	"github.com/coracle-k8s/coracle/streaming"
)

// found is a request's Pod and container; it has answered where there is none.
func (s *Server) found(w http.ResponseWriter, r *http.Request) (*corev1.Pod, *runtime.Pod, bool) {
	pod, observed, err := s.Pods.Pod(r.PathValue("namespace"), r.PathValue("pod"))
	if err != nil {
		http.Error(w, "pod does not exist", http.StatusNotFound)
		return nil, nil, false
	}
	if uid := r.PathValue("uid"); uid != "" && string(pod.UID) != uid {
		http.Error(w, "pod not found", http.StatusNotFound)
		return nil, nil, false
	}
	return pod, observed, true
}

func (s *Server) runningContainer(w http.ResponseWriter, r *http.Request) (*corev1.Container, *runtime.Container) {
	pod, observed, ok := s.found(w, r)
	if !ok {
		return nil, nil
	}
	name := r.PathValue("container")
	instance := observed.Container(name)
	if instance == nil || instance.State != runtime.Running {
		http.Error(w, fmt.Sprintf("container not found (%q)", name), http.StatusNotFound)
		return nil, nil
	}
	return specOf(pod, name), instance
}

// specOf returns an empty specification where the Pod has none of that name.
func specOf(pod *corev1.Pod, name string) *corev1.Container {
	spec := &corev1.Container{Name: name}
	core.Containers(&pod.Spec, func(c *corev1.Container) bool {
		if c.Name == name {
			spec = c
		}
		return c.Name != name
	})
	return spec
}

// Streams run commands in containers and reach ports of Pods; the container runtime interface does unless there are some.
type Streams interface {
	// Exec returns when the command has ended and all that it wrote is passed on. Another exit code than 0 is a utilexec.ExitError.
	Exec(ctx context.Context, command runtime.Command) error
	// PortForward connects a stream with a port in a sandbox until both directions have ended.
	PortForward(ctx context.Context, sandbox string, port int32, stream io.ReadWriteCloser) error
}

// How long a stream may be idle, and a client take to open those that it asked for: as upstream.
const (
	streamIdle    = 4 * time.Hour
	streamOpening = 30 * time.Second
)

func (s *Server) exec(w http.ResponseWriter, r *http.Request) {
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, instance := s.runningContainer(w, r)
	if instance == nil {
		return
	}
	command := r.URL.Query()["command"]
	var run executor
	if s.Streams != nil {
		run = func(ctx context.Context, c runtime.Command) error {
			c.Container, c.Args = instance.ID, command
			return s.Streams.Exec(ctx, c)
		}
	} else {
		response, err := s.Runtime.Exec(r.Context(), &runtimeapi.ExecRequest{
			ContainerId: instance.ID, Cmd: command, Tty: options.TTY,
			Stdin: options.Stdin, Stdout: options.Stdout, Stderr: options.Stderr,
		})
		if run = elsewhere(w, response.GetUrl(), err); run == nil {
			return
		}
	}
	remotecommand.ServeExec(streaming.Hijacking(w), r, asked(options, run), "", "", "", command, options, streamIdle, streamOpening, remotecommand.SupportedStreamingProtocols)
}

func (s *Server) attach(w http.ResponseWriter, r *http.Request) {
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	spec, instance := s.runningContainer(w, r)
	if instance == nil {
		return
	}
	// Whether a process has a terminal was settled when it started.
	response, err := s.Runtime.Attach(r.Context(), &runtimeapi.AttachRequest{
		ContainerId: instance.ID, Tty: spec.TTY,
		Stdin: options.Stdin, Stdout: options.Stdout, Stderr: options.Stderr && !spec.TTY,
	})
	join := elsewhere(w, response.GetUrl(), err)
	if join == nil {
		return
	}
	run := func(ctx context.Context, c runtime.Command) error {
		if c.Terminal = spec.TTY; spec.TTY {
			c.Stderr = nil
		}
		return join(ctx, c)
	}
	remotecommand.ServeAttach(streaming.Hijacking(w), r, asked(options, run), "", "", "", options, streamIdle, streamOpening, remotecommand.SupportedStreamingProtocols)
}

func (s *Server) portForward(w http.ResponseWriter, r *http.Request) {
	options, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, observed, ok := s.found(w, r)
	if !ok {
		return
	}
	sandbox := observed.Sandbox()
	if sandbox == nil || !sandbox.Ready {
		http.Error(w, "pod is not running", http.StatusNotFound)
		return
	}
	if s.Streams == nil {
		response, err := s.Runtime.PortForward(r.Context(), &runtimeapi.PortForwardRequest{PodSandboxId: sandbox.ID, Port: options.Ports})
		s.forward(w, r, response.GetUrl(), err)
		return
	}
	portforward.ServePortForward(streaming.Hijacking(w), r, forwarder{r.Context(), s.Streams, sandbox.ID}, "", "", options, streamIdle, streamOpening, portforward.SupportedProtocols)
}

// forwarder forwards to one sandbox until the server ends.
type forwarder struct {
	serving context.Context
	streams Streams
	sandbox string
}

// PortForward connects a stream. The context that it is given never ends.
func (f forwarder) PortForward(_ context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	return f.streams.PortForward(f.serving, f.sandbox, port, stream)
}

// forward connects the client with the runtime's own streaming server.
func (s *Server) forward(w http.ResponseWriter, r *http.Request, address string, err error) {
	location, err := parse(address, err)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	proxy.NewUpgradeAwareHandler(location, nil, false, true, responder{}).ServeHTTP(streaming.Hijacking(w), r)
}

// parse reads the address that a runtime answered with, if it did.
func parse(address string, err error) (*url.URL, error) {
	if err != nil {
		return nil, err
	}
	return url.Parse(address)
}

type responder struct{}

// Error answers that the runtime's streaming server could not be reached.
func (responder) Error(w http.ResponseWriter, _ *http.Request, err error) {
	http.Error(w, err.Error(), http.StatusInternalServerError)
}

// runTimeout bounds a command that is run without streams.
const runTimeout = 10 * time.Minute

// run runs a command and answers with what it wrote.
func (s *Server) run(w http.ResponseWriter, r *http.Request) {
	_, instance := s.runningContainer(w, r)
	if instance == nil {
		return
	}
	command := r.URL.Query()["cmd"]
	stdout, stderr, err := s.Runtime.ExecSync(r.Context(), instance.ID, command, runTimeout)
	var exit utilexec.ExitError
	if err != nil && !errors.As(err, &exit) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
	// A client that went away hears nothing more.
	_, _ = w.Write(stdout)
	_, _ = w.Write(stderr)
	if err != nil {
		_, _ = io.WriteString(w, err.Error())
	}
}
