// Package inprocess sends HTTP requests to a handler in the same process, as a user that the sender names, without a socket.
//
// The handler is a server's whole chain: authorization, admission and audit hold as for any request.
package inprocess

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/coracle-k8s/coracle/guard"
)

// userKey carries the user of a request. The type is private and contexts do not travel: no request that came over a
// socket has it.
type userKey struct{}

// Authenticator accepts requests of Transports, and must stand first: a request's own credentials do not count then.
func Authenticator() authenticator.Request {
	return authenticator.RequestFunc(func(r *http.Request) (*authenticator.Response, bool, error) {
		u, ok := r.Context().Value(userKey{}).(user.Info)
		if !ok {
			return nil, false, nil
		}
		return &authenticator.Response{User: u}, true, nil
	})
}

// Door leads to a handler that may be set later than the transports through it are made.
type Door struct {
	once    sync.Once
	open    chan struct{}
	handler http.Handler
	ending  sync.Once
	closed  chan struct{}
}

// NewDoor makes a closed door: requests wait for Open.
func NewDoor() *Door { return &Door{open: make(chan struct{}), closed: make(chan struct{})} }

// Open lets requests through to handler. Only the first call counts.
func (d *Door) Open(handler http.Handler) {
	d.once.Do(func() {
		d.handler = handler
		close(d.open)
	})
}

// Close refuses requests from now on, with ErrClosed: clients do not try those again, as they do when a server that is
// shutting down asks them to.
func (d *Door) Close() { d.ending.Do(func() { close(d.closed) }) }

// As returns a transport for requests of u.
func (d *Door) As(u user.Info) http.RoundTripper { return &transport{d, u} }

// ErrClosed is returned when the server has stopped.
var ErrClosed = errors.New("the server in this process has stopped")

// ErrAborted is returned when a handler panics, or aborts its answer.
var ErrAborted = errors.New("the handler aborted its answer")

type transport struct {
	door *Door
	user user.Info
}

// RoundTrip runs the handler in a goroutine of its own and returns at its first flush, when much is waiting to be read, or at its
// end. Cancelling the request's context, or closing the body, cancels the handler's context.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	select {
	case <-t.door.closed:
		return nil, ErrClosed
	default:
	}
	select {
	case <-t.door.open:
	case <-t.door.closed:
		return nil, ErrClosed
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	ctx, cancel := t.context(req.Context())
	w := newResponse(ctx, cancel)
	r := received(req, ctx)
	guard.GoThen("in-process request", func() error { return serve(t.door.handler, w, r) }, w.finish)
	select {
	case <-w.started:
	case <-ctx.Done(): // the caller gave up, and the handler ends by its context; or the handler has just returned
		select {
		case <-w.started:
		default:
			return nil, context.Cause(ctx)
		}
	}
	if err := req.Context().Err(); err != nil { // as net/http: no response after the deadline
		cancel()
		return nil, err
	}
	return w.response(req)
}

// context is what the handler gets. It ends when the sender's does, and knows nothing else of that, as over a socket: a sender that is
// itself answering a request has much in it about that one.
func (t *transport) context(sender context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.WithValue(context.Background(), userKey{}, t.user))
	stop := context.AfterFunc(sender, func() { cancel(sender.Err()) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// received is the request as a server sees it. It has a header map of its own: filters delete from it.
func received(req *http.Request, ctx context.Context) *http.Request {
	r := req.Clone(ctx)
	r.RequestURI, r.RemoteAddr = req.URL.RequestURI(), "127.0.0.1:0"
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/2.0", 2, 0
	if r.Host == "" {
		r.Host = req.URL.Host
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	return r
}

// serve returns how the answer ends: io.EOF if in order.
func serve(handler http.Handler, w *response, r *http.Request) (err error) {
	stop := context.AfterFunc(w.ctx, func() { guard.Insist("ending a request in the process", w.wakeAll) })
	defer func() {
		if p := recover(); p != nil { // http.ErrAbortHandler, or what the panic filter let through
			err = fmt.Errorf("%w: %.200v", ErrAborted, p)
		}
		_ = r.Body.Close()
		stop()
	}()
	handler.ServeHTTP(w, r)
	return io.EOF
}
