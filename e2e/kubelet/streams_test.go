package kubelet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/await"
)

func TestLogsAndStreamsThroughTheAPIServer(t *testing.T) {
	w := newWorld(t)
	w.create(pod("streams", "echo one; sleep 0.5; echo two >&2; mkdir /www; echo page > /www/x; httpd -p 8080 -h /www; while read l; do echo got $l; done; "+forever, func(p *corev1.Pod) {
		p.Spec.Containers[0].Stdin = true
	}))
	w.until("streams", "ran", running)
	pods := w.client.CoreV1().Pods("default")
	request := func(sub string) *remoteRequest {
		return &remoteRequest{w, w.client.CoreV1().RESTClient().Post().Resource("pods").Namespace("default").Name("streams").SubResource(sub)}
	}

	await.Until(t, "the log is there", func() bool {
		data, err := pods.GetLogs("streams", &corev1.PodLogOptions{}).DoRaw(t.Context())
		return err == nil && string(data) == "one\ntwo\n"
	})
	if data, err := pods.GetLogs("streams", &corev1.PodLogOptions{TailLines: ptr.To[int64](1), Timestamps: true}).DoRaw(t.Context()); err != nil || !strings.HasSuffix(string(data), "Z two\n") {
		t.Errorf("got %q, %v", data, err)
	}
	if err := pods.GetLogs("streams", &corev1.PodLogOptions{Previous: true}).Do(t.Context()).Error(); err == nil || !strings.Contains(err.Error(), "previous terminated container") {
		t.Errorf("got %v", err)
	}

	var out, errs bytes.Buffer
	exec := request("exec").stream(&corev1.PodExecOptions{Command: []string{"sh", "-c", "cat; echo bad >&2; exit 3"}, Stdin: true, Stdout: true, Stderr: true})
	err := exec.StreamWithContext(await.Context(t, "exec ended with its command"), remotecommand.StreamOptions{Stdin: strings.NewReader("hello"), Stdout: &out, Stderr: &errs})
	if out.String() != "hello" || errs.String() != "bad\n" || err == nil || !strings.Contains(err.Error(), "exit code 3") {
		t.Errorf("got %q %q %v", out.String(), errs.String(), err)
	}

	w.answersTyping(request("attach"))

	if got := w.forwarded(request("portforward"), 8080, "/x"); got != "page\n" {
		t.Errorf("got %q", got)
	}
	data, err := w.client.CoreV1().RESTClient().Get().AbsPath("/api/v1/nodes/" + nodeName + "/proxy/stats/summary").DoRaw(t.Context())
	if err != nil || !strings.Contains(string(data), `"name":"streams"`) {
		t.Errorf("summary: %v %.300s", err, data)
	}
	data, err = w.client.CoreV1().RESTClient().Get().AbsPath("/api/v1/nodes/" + nodeName + "/proxy/metrics/resource").DoRaw(t.Context())
	of := `{container="main",namespace="default",pod="streams"} `
	if err != nil || !strings.Contains(string(data), "\ncontainer_memory_working_set_bytes"+of) || !strings.Contains(string(data), "\ncontainer_start_time_seconds"+of+"1.") {
		t.Errorf("metrics: %v %.300s", err, data)
	}
}

// remoteRequest is a request that becomes a stream.
type remoteRequest struct {
	w *world
	*rest.Request
}

func (r *remoteRequest) stream(options runtime.Object) remotecommand.Executor {
	r.w.t.Helper()
	u := r.VersionedParams(options, scheme.ParameterCodec).URL()
	e, err := remotecommand.NewSPDYExecutor(r.w.config, http.MethodPost, u)
	if err != nil {
		r.w.t.Fatal(err)
	}
	return e
}

// answersTyping types a line into a container until it is answered: what the container prints before the streams are joined,
// though it has read the line, reaches nobody.
func (w *world) answersTyping(r *remoteRequest) {
	w.t.Helper()
	ctx, cancel := context.WithCancelCause(await.Context(w.t, "an answer of the attached container"))
	input, typed := io.Pipe()
	output, answers := io.Pipe()
	attach, ended := r.stream(&corev1.PodAttachOptions{Stdin: true, Stdout: true}), make(chan struct{})
	go func() {
		defer close(ended)
		err := attach.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: input, Stdout: answers})
		input.CloseWithError(err)
		answers.CloseWithError(fmt.Errorf("attach ended: %w, %w", err, context.Cause(ctx)))
	}()
	go func() {
		for ctx.Err() == nil {
			if _, err := io.WriteString(typed, "line\n"); err != nil {
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}()
	// Attaching ends with its input: that stays open until the answer is there.
	line := make([]byte, len("got line\n"))
	if _, err := io.ReadFull(output, line); err != nil || string(line) != "got line\n" {
		w.t.Errorf("got %q, %v", line, err)
	}
	cancel(errors.New("it was heard"))
	output.Close()
	await.Receive(w.t, ended, "attach ended")
}

// forwarded is what a port of the Pod answers by HTTP.
func (w *world) forwarded(r *remoteRequest, port int, path string) string {
	w.t.Helper()
	transport, upgrader, err := spdy.RoundTripperFor(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, r.URL())
	stop, ready := make(chan struct{}), make(chan struct{})
	f, err := portforward.New(dialer, []string{fmt.Sprintf("0:%d", port)}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		w.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- f.ForwardPorts() }()
	defer func() { close(stop); await.Receive(w.t, done, "forwarding ended") }()
	select {
	case <-ready:
	case err := <-done:
		done <- err
		w.t.Fatalf("forwarding: %v", err)
	case <-time.After(await.Limit):
		w.t.Fatal("never: forwarding began")
	}
	ports, err := f.GetPorts()
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := await.Client.Get(fmt.Sprintf("http://127.0.0.1:%d%s", ports[0].Local, path))
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Error(err)
	}
	return string(data)
}
