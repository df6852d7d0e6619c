package server

import (
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
	response, err := s.Runtime.Exec(r.Context(), &runtimeapi.ExecRequest{
		ContainerId: instance.ID, Cmd: r.URL.Query()["command"], Tty: options.TTY,
		Stdin: options.Stdin, Stdout: options.Stdout, Stderr: options.Stderr,
	})
	s.forward(w, r, response.GetUrl(), err)
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
	s.forward(w, r, response.GetUrl(), err)
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
	response, err := s.Runtime.PortForward(r.Context(), &runtimeapi.PortForwardRequest{PodSandboxId: sandbox.ID, Port: options.Ports})
	s.forward(w, r, response.GetUrl(), err)
}

// forward connects the client with the runtime's own streaming server.
func (s *Server) forward(w http.ResponseWriter, r *http.Request, address string, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	location, err := url.Parse(address)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	proxy.NewUpgradeAwareHandler(location, nil, false, true, responder{}).ServeHTTP(w, r)
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
