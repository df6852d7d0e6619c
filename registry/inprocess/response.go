package inprocess

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// waiting is how many bytes may wait between handler and reader before the handler must wait too.
const waiting = 1 << 20

// response is the handler's ResponseWriter and the client's Body.
type response struct {
	ctx     context.Context
	cancel  context.CancelFunc
	header  http.Header
	started chan struct{} // closed when the response can be given to the client

	mu      sync.Mutex
	changed sync.Cond
	sent    http.Header
	code    int
	buf     bytes.Buffer
	given   bool  // started is closed
	err     error // io.EOF: the handler returned
	closed  bool  // by the client
}

func newResponse(ctx context.Context, cancel context.CancelFunc) *response {
	w := &response{ctx: ctx, cancel: cancel, header: http.Header{}, started: make(chan struct{})}
	w.changed.L = &w.mu
	return w
}

// response is called once, after started was closed.
func (w *response) response(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.code == 0 {
		return nil, w.err
	}
	r := &http.Response{
		Status: http.StatusText(w.code), StatusCode: w.code, Proto: "HTTP/2.0", ProtoMajor: 2,
		Header: w.sent, Body: w, ContentLength: -1, Request: req,
	}
	if w.err == io.EOF {
		r.ContentLength = int64(w.buf.Len())
	}
	return r, nil
}

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(code int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(code)
}

func (w *response) writeHeader(code int) {
	if w.code == 0 && code >= http.StatusOK {
		w.code, w.sent = code, w.header.Clone()
	}
}

func (w *response) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(http.StatusOK)
	for w.buf.Len() > 0 && w.buf.Len()+len(p) > waiting && w.ctx.Err() == nil {
		w.give()
		w.changed.Wait()
	}
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.buf.Write(p)
	w.changed.Broadcast()
	return n, err
}

// Flush gives the response to the client.
func (w *response) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(http.StatusOK)
	w.give()
}

func (w *response) give() {
	if !w.given {
		w.given = true
		close(w.started)
	}
	w.changed.Broadcast()
}

// CloseNotify is asked for by the library's filters, which use the context otherwise.
func (w *response) CloseNotify() <-chan bool { return make(chan bool) }

// SetWriteDeadline does nothing: the context bounds the handler. SetReadDeadline likewise.
func (w *response) SetWriteDeadline(time.Time) error { return nil }
func (w *response) SetReadDeadline(time.Time) error  { return nil }

func (w *response) wakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed.Broadcast()
}

// finish ends the answer. A handler that aborted before anything was given has no answer, only an error.
func (w *response) finish(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
	switch {
	case err == io.EOF:
		w.writeHeader(http.StatusOK)
	case !w.given:
		w.code = 0
	}
	w.give()
	w.cancel() // what is buffered can still be read
}

// Read returns what the handler wrote, then how it ended.
func (w *response) Read(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.buf.Len() == 0 && w.err == nil && w.ctx.Err() == nil && !w.closed {
		w.changed.Wait()
	}
	switch {
	case w.closed:
		return 0, http.ErrBodyReadAfterClose
	case w.buf.Len() > 0:
		n, _ := w.buf.Read(p)
		w.changed.Broadcast()
		return n, nil
	case w.err != nil:
		return 0, w.err
	}
	return 0, context.Cause(w.ctx)
}

// Close cancels the handler.
func (w *response) Close() error {
	w.mu.Lock()
	w.closed = true
	w.changed.Broadcast()
	w.mu.Unlock()
	w.cancel()
	return nil
}
