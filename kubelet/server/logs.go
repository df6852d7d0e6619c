package server

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/cri-client/pkg/logs"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// logQuery is what of a log is asked for.
type logQuery struct {
	options  logs.LogOptions
	previous bool
	stream   string
}

// containerLogs serves a container's log.
func (s *Server) containerLogs(w http.ResponseWriter, r *http.Request) {
	query, err := parseLogQuery(r.URL.Query(), time.Now())
	if err != nil {
		// The API has checked already; what is left is a client of the kubelet itself.
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	pod, observed, err := s.Pods.Pod(r.PathValue("namespace"), r.PathValue("pod"))
	if err != nil {
		http.Error(w, fmt.Sprintf("pod %q does not exist", r.PathValue("pod")), http.StatusNotFound)
		return
	}
	name := r.PathValue("container")
	if specOf(pod, name).Image == "" {
		http.Error(w, fmt.Sprintf("container %q not found in pod %q", name, pod.Name), http.StatusNotFound)
		return
	}
	instance, err := instanceOf(pod, observed, name, query.previous)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Transfer-Encoding", "chunked")
	out := &flusher{Writer: w, controller: http.NewResponseController(w)}
	var stdout, stderr io.Writer = out, out
	switch query.stream {
	case corev1.LogStreamStdout:
		stderr = io.Discard
	case corev1.LogStreamStderr:
		stdout = io.Discard
	}
	if query.options.Follow {
		out.flush()
	}
	if err := logs.ReadLogs(r.Context(), instance.LogPath, instance.ID, &query.options, s.Runtime, stdout, stderr); err != nil && r.Context().Err() == nil {
		if !out.wrote {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		klog.FromContext(r.Context()).Info("Reading a log ended early", "pod", klog.KObj(pod), "container", name, "error", err)
	}
}

// instanceOf returns the instance whose log is asked for.
func instanceOf(pod *corev1.Pod, observed *runtime.Pod, name string, previous bool) (*runtime.Container, error) {
	var instances []*runtime.Container
	for _, c := range observed.Containers {
		if c.Name == name && c.State != runtime.Created {
			instances = append(instances, c)
		}
	}
	if previous {
		if len(instances) > 0 && instances[0].State == runtime.Running {
			instances = instances[1:]
		} else if len(instances) > 1 {
			instances = instances[1:]
		}
		if len(instances) == 0 {
			return nil, fmt.Errorf("previous terminated container %q in pod %q not found", name, pod.Name)
		}
		return instances[0], nil
	}
	if len(instances) == 0 {
		why := "ContainerCreating"
		if s := statusOf(pod, name); s != nil && s.State.Waiting != nil && s.State.Waiting.Reason != "" {
			why = s.State.Waiting.Reason
		}
		return nil, fmt.Errorf("container %q in pod %q is waiting to start: %v", name, pod.Name, why)
	}
	return instances[0], nil
}

func statusOf(pod *corev1.Pod, name string) *corev1.ContainerStatus {
	for _, list := range [][]corev1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses, pod.Status.EphemeralContainerStatuses} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

func parseLogQuery(v url.Values, now time.Time) (*logQuery, error) {
	q := &logQuery{stream: v.Get("stream")}
	var err error
	flag := func(name string) bool {
		text := v.Get(name)
		if text == "" {
			return false
		}
		b, e := strconv.ParseBool(text)
		if e != nil {
			err = fmt.Errorf("invalid %s: %w", name, e)
		}
		return b
	}
	number := func(name string, least int64) *int64 {
		text := v.Get(name)
		if text == "" || text == "all" && name == "tailLines" {
			return nil
		}
		n, e := strconv.ParseInt(text, 10, 64)
		if e != nil || n < least {
			err = fmt.Errorf("invalid %s: %q", name, text)
		}
		return &n
	}
	q.previous = flag("previous")
	q.options.Follow, q.options.Timestamp = flag("follow"), flag("timestamps")
	q.options.TailLines, q.options.LimitBytes = number("tailLines", 0), number("limitBytes", 1)
	if seconds := number("sinceSeconds", 1); seconds != nil {
		q.options.Since = now.Add(-time.Duration(*seconds) * time.Second)
	}
	if text := v.Get("sinceTime"); text != "" {
		t, e := time.Parse(time.RFC3339, text)
		if e != nil {
			err = fmt.Errorf("invalid sinceTime: %w", e)
		}
		q.options.Since = t
	}
	switch q.stream {
	case "", corev1.LogStreamAll, corev1.LogStreamStdout, corev1.LogStreamStderr:
	default:
		err = fmt.Errorf("invalid stream: %q", q.stream)
	}
	return q, err
}

// flusher sends every write on at once.
type flusher struct {
	io.Writer
	controller *http.ResponseController
	wrote      bool
}

// Write writes through.
func (f *flusher) Write(p []byte) (int, error) {
	f.wrote = true
	n, err := f.Writer.Write(p)
	if err == nil {
		f.flush()
	}
	return n, err
}

func (f *flusher) flush() {
	// A client that cannot be flushed to fails at the next write.
	_ = f.controller.Flush()
}
