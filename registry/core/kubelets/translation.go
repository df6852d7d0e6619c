package kubelets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	protocols "k8s.io/apimachinery/pkg/util/remotecommand"
	translator "k8s.io/apiserver/pkg/util/proxy"
	"k8s.io/apiserver/pkg/util/proxy/metrics"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
	"k8s.io/klog/v2"
	"k8s.io/streaming/pkg/httpstream/wsstream"

	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/streaming"
)

// idle is how long a client may say nothing, as upstream.
const idle = 4 * time.Hour

// translation connects a client's WebSocket with a kubelet's SPDY. In contrast to upstream's, it tells the client in each case how it
// ended: a client that hears nothing takes that for success.
type translation struct {
	location  *url.URL
	transport http.RoundTripper
	options   translator.Options
}

// ServeHTTP returns when the command has ended.
func (t *translation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, channels, err := t.open(w, r)
	if err != nil {
		metrics.IncStreamTranslatorRequest(r.Context(), strconv.Itoa(http.StatusBadRequest))
		return // the client was told
	}
	defer conn.Close()
	err = streaming.Execute(r.Context(), t.location, t.transport, t.streams(r.Context(), channels))
	status := ending(err)
	code := int(status.Code)
	if status.Reason == protocols.NonZeroExitCodeReason || err == nil {
		code = http.StatusOK
	}
	metrics.IncStreamTranslatorRequest(r.Context(), strconv.Itoa(code))
	content, err := json.Marshal(status)
	if err == nil {
		_, err = channels[protocols.StreamErr].Write(content)
	}
	if err != nil {
		klog.FromContext(r.Context()).V(2).Info("A client went away before it heard how its command ended", "err", err)
	}
}

// open accepts the WebSocket, with a channel for each stream.
func (t *translation) open(w http.ResponseWriter, r *http.Request) (*wsstream.Conn, []io.ReadWriteCloser, error) {
	kind := func(asked bool, kind wsstream.ChannelType) wsstream.ChannelType {
		if asked {
			return kind
		}
		return wsstream.IgnoreChannel
	}
	types := make([]wsstream.ChannelType, 5)
	types[protocols.StreamStdIn] = kind(t.options.Stdin, wsstream.ReadChannel)
	types[protocols.StreamStdOut] = kind(t.options.Stdout, wsstream.WriteChannel)
	types[protocols.StreamStdErr] = kind(t.options.Stderr, wsstream.WriteChannel)
	types[protocols.StreamErr] = wsstream.WriteChannel
	types[protocols.StreamResize] = wsstream.ReadChannel
	conn := wsstream.NewConn(map[string]wsstream.ChannelProtocolConfig{protocols.StreamProtocolV5Name: {Binary: true, Channels: types}})
	conn.SetIdleTimeout(idle)
	_, channels, err := conn.Open(w, r)
	if err != nil {
		return nil, nil, err
	}
	first := protocols.StreamErr
	switch {
	case t.options.Stdout:
		first = protocols.StreamStdOut
	case t.options.Stderr:
		first = protocols.StreamStdErr
	}
	// An empty message tells clients that the connection stands.
	if _, err := channels[first].Write(nil); err != nil {
		_ = conn.Close() // the first error says it all
		return nil, nil, err
	}
	return conn, channels, nil
}

// streams are those that the client asked for.
func (t *translation) streams(ctx context.Context, channels []io.ReadWriteCloser) remotecommand.StreamOptions {
	var s remotecommand.StreamOptions
	if t.options.Stdin {
		s.Stdin = channels[protocols.StreamStdIn]
	}
	if t.options.Stdout {
		s.Stdout = channels[protocols.StreamStdOut]
	}
	if t.options.Stderr {
		s.Stderr = channels[protocols.StreamStdErr]
	}
	sizes := make(chan remotecommand.TerminalSize)
	guard.GoThen("reading a terminal's sizes", func() error {
		readSizes(ctx, channels[protocols.StreamResize], sizes)
		return nil
	}, func(error) { close(sizes) })
	if t.options.Tty {
		s.Tty, s.TerminalSizeQueue = true, sizeQueue(sizes)
	}
	return s
}

// readSizes passes on a terminal's sizes until the last.
func readSizes(ctx context.Context, from io.Reader, to chan<- remotecommand.TerminalSize) {
	for decoder := json.NewDecoder(from); ; {
		var size remotecommand.TerminalSize
		if decoder.Decode(&size) != nil {
			return
		}
		select {
		case to <- size:
		case <-ctx.Done():
			return
		}
	}
}

type sizeQueue <-chan remotecommand.TerminalSize

// Next returns nil when there will be no more sizes.
func (q sizeQueue) Next() *remotecommand.TerminalSize {
	size, more := <-q
	if !more {
		return nil
	}
	return &size
}

// ending is what a client is told of how its command ended.
func ending(err error) metav1.Status {
	var status *apierrors.StatusError
	var exit exec.CodeExitError
	switch {
	case err == nil:
		return metav1.Status{Status: metav1.StatusSuccess}
	case errors.As(err, &status):
		return status.Status()
	case errors.As(err, &exit) && exit.Exited():
		return metav1.Status{
			Status: metav1.StatusFailure,
			Reason: protocols.NonZeroExitCodeReason,
			Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{
				{Type: protocols.ExitCodeCauseType, Message: strconv.Itoa(exit.ExitStatus())},
			}},
			Message: fmt.Sprintf("command terminated with non-zero exit code: %v", exit),
		}
	}
	return apierrors.NewInternalError(err).Status()
}
