package kubelet_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
)

// ways to run a command: what kubectl speaks today, and what it spoke before.
var ways = map[string]func(w *world, request *remoteRequest, options *corev1.PodExecOptions) (remotecommand.Executor, error){
	"WebSocket": func(w *world, r *remoteRequest, o *corev1.PodExecOptions) (remotecommand.Executor, error) {
		return remotecommand.NewWebSocketExecutor(w.config, http.MethodGet, r.VersionedParams(o, scheme.ParameterCodec).URL().String())
	},
	"SPDY": func(w *world, r *remoteRequest, o *corev1.PodExecOptions) (remotecommand.Executor, error) {
		return remotecommand.NewSPDYExecutor(w.config, http.MethodPost, r.VersionedParams(o, scheme.ParameterCodec).URL())
	},
}

// zeros are n bytes.
func zeros(n int64) io.Reader { return io.LimitReader(endless{}, n) }

type endless struct{}

func (endless) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// late takes what it is given only after a while.
type late struct {
	got   bytes.Buffer
	ctx   context.Context
	delay time.Duration
}

func (l *late) Write(p []byte) (int, error) {
	select {
	case <-time.After(l.delay):
	case <-l.ctx.Done():
	}
	l.delay = 0
	return l.got.Write(p)
}

// What is piped into and out of commands arrives whole: also into one that writes nothing and so has closed its output, and out of one
// that is long gone when its output is read, after pings that nobody answers any more.
func TestTransfersArriveWhole(t *testing.T) {
	w := newWorld(t)
	w.create(pod("transfer", "mkdir /www; httpd -p 8080 -h /www; "+forever))
	w.until("transfer", "ran", running)
	for name, way := range ways {
		run := func(t *testing.T, stdin io.Reader, stdout io.Writer, command ...string) error {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
			defer cancel()
			request := &remoteRequest{w, w.client.CoreV1().RESTClient().Post().Resource("pods").Namespace("default").Name("transfer").SubResource("exec")}
			executor, err := way(w, request, &corev1.PodExecOptions{Command: command, Stdin: stdin != nil, Stdout: true, Stderr: true})
			if err != nil {
				t.Fatal(err)
			}
			return executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: stdin, Stdout: stdout, Stderr: io.Discard})
		}
		t.Run(name+" in", func(t *testing.T) {
			const size = 60_000_000
			for command, answer := range map[string]string{"wc -c": strconv.Itoa(size), "exec cat >/www/copy": ""} {
				var out bytes.Buffer
				if err := run(t, zeros(size), &out, "sh", "-c", command); err != nil || strings.TrimSpace(out.String()) != answer {
					t.Errorf("%s: %q, %v", command, out.String(), err)
				}
			}
			var out bytes.Buffer
			if err := run(t, nil, &out, "stat", "-c", "%s", "/www/copy"); err != nil || strings.TrimSpace(out.String()) != strconv.Itoa(size) {
				t.Errorf("the copy has %q bytes, %v", out.String(), err)
			}
		})
		for _, delay := range []time.Duration{0, 7 * time.Second} {
			t.Run(fmt.Sprint(name, " out after ", delay), func(t *testing.T) {
				out := &late{ctx: t.Context(), delay: delay}
				err := run(t, nil, out, "sh", "-c", "seq 1 1000000")
				if all := out.got.Bytes(); err != nil || !bytes.HasSuffix(all, []byte("\n1000000\n")) || len(all) != 6_888_896 {
					t.Errorf("%d bytes that end with %q, %v", len(all), all[max(0, len(all)-20):], err)
				}
			})
		}
		t.Run(name+" out of a port", func(t *testing.T) {
			request := &remoteRequest{w, w.client.CoreV1().RESTClient().Post().Resource("pods").Namespace("default").Name("transfer").SubResource("portforward")}
			if got := len(w.forwarded(request, 8080, "/copy")); got != 60_000_000 {
				t.Errorf("%d bytes", got)
			}
		})
		t.Run(name+" exit code beside unread input", func(t *testing.T) {
			var out bytes.Buffer
			err := run(t, zeros(5_000_000), &out, "sh", "-c", "seq 1 100000; exit 3")
			if err == nil || !strings.Contains(err.Error(), "exit code 3") || !strings.HasSuffix(out.String(), "\n100000\n") {
				t.Errorf("%d bytes, %v", out.Len(), err)
			}
		})
	}
}
