package streaming

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/tools/remotecommand"
	clientspdy "k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream/spdy"

	corev1 "k8s.io/api/core/v1"
	protocols "k8s.io/apimachinery/pkg/util/remotecommand"
)

// pingEvery keeps what lies between the two ends from taking a quiet connection for a dead one.
const pingEvery = 5 * time.Second

// Execute connects streams with a command or a container elsewhere until that ends. transport reaches a server with TLS; without one,
// the connection is plain. Who ends without saying how has failed: upstream's client takes that for success.
func Execute(ctx context.Context, location *url.URL, transport http.RoundTripper, streams remotecommand.StreamOptions) error {
	spdyTransport, err := spdy.NewRoundTripperWithConfig(spdy.RoundTripperConfig{UpgradeTransport: transport, PingPeriod: pingEvery})
	if err != nil {
		return fmt.Errorf("preparing a connection with %s: %w", location.Host, err)
	}
	upgrader := attentive{clientspdy.NewUpgraderForStreaming(spdyTransport)}
	executor, err := remotecommand.NewSPDYExecutorRejectRedirects(spdyTransport, upgrader, http.MethodPost, location)
	if err != nil {
		return fmt.Errorf("preparing a connection with %s: %w", location.Host, err)
	}
	return executor.StreamWithContext(ctx, streams)
}

// attentive connections notice that their errors' stream ends in silence.
type attentive struct{ clientspdy.Upgrader }

// NewConnection is called when the server has agreed on a protocol.
func (a attentive) NewConnection(response *http.Response) (httpstream.Connection, error) {
	c, err := a.Upgrader.NewConnection(response)
	if err != nil || response.Header.Get(httpstream.HeaderProtocolVersion) != protocols.StreamProtocolV4Name {
		return c, err // before version 4, silence is success
	}
	return attentiveConnection{c}, nil
}

type attentiveConnection struct{ httpstream.Connection }

// CreateStream opens a stream.
func (c attentiveConnection) CreateStream(headers http.Header) (httpstream.Stream, error) {
	s, err := c.Connection.CreateStream(headers)
	if err != nil || headers.Get(corev1.StreamType) != corev1.StreamTypeError {
		return s, err
	}
	return &verdict{Stream: s}, nil
}

// verdict is the stream that says how it ended.
type verdict struct {
	httpstream.Stream
	heard bool
}

// Read returns an error instead of the end where nothing came before that.
func (v *verdict) Read(p []byte) (int, error) {
	n, err := v.Stream.Read(p)
	v.heard = v.heard || n > 0
	if err == io.EOF && !v.heard {
		err = fmt.Errorf("the connection was lost before the end: %w", io.ErrUnexpectedEOF)
	}
	return n, err
}
