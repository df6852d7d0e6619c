// Package streaming moves data between clients and containers so that all of it arrives, or that its loss is an error.
package streaming

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coracle-k8s/coracle/guard"
)

// lingerAtMost is how long a connection that was closed here waits for the other side: as long as an idle one lives.
const lingerAtMost = 4 * time.Hour

// Linger returns a connection whose Close loses nothing that was written before. The kernel resets a connection that is closed while
// something that the other side sent is unread, or arrives later (a ping), and drops what it has not delivered: the other side gets the
// beginning and no error. This one says that nothing more comes, and reads on until the other side has closed too.
func Linger(c net.Conn) net.Conn { return &lingering{Conn: c} }

type lingering struct {
	net.Conn
	closed atomic.Bool
	once   sync.Once
}

// Read returns net.ErrClosed after Close.
func (l *lingering) Read(p []byte) (int, error) {
	if l.closed.Load() {
		return 0, net.ErrClosed
	}
	n, err := l.Conn.Read(p)
	if l.closed.Load() {
		return 0, net.ErrClosed
	}
	return n, err
}

// Close returns at once.
func (l *lingering) Close() error {
	l.once.Do(func() {
		l.closed.Store(true)
		guard.GoThen("closing a stream", func() error { l.finish(); return nil }, func(error) { _ = l.Conn.Close() })
	})
	return nil
}

// finish ends the connection. Its errors mean that the other side is gone, and then there is nothing to wait for.
func (l *lingering) finish() {
	if l.Conn.SetDeadline(time.Now().Add(lingerAtMost)) != nil || closeWrite(l.Conn) != nil {
		return
	}
	_, _ = io.Copy(io.Discard, l.Conn)
}

// closeWrite says to the other side that nothing more comes, in TLS where that is spoken, and below.
func closeWrite(c net.Conn) error {
	type half interface{ CloseWrite() error }
	if over, ok := c.(interface{ NetConn() net.Conn }); ok {
		if h, ok := c.(half); ok {
			// It gives up after seconds while the other side does not read; the end of the connection below says the same.
			_ = h.CloseWrite()
		}
		c = over.NetConn()
	}
	if h, ok := c.(half); ok {
		return h.CloseWrite()
	}
	return net.ErrClosed
}

// Hijacking returns a writer whose connection, once it is taken over, lingers. It cannot be unwrapped: the connection below does not.
func Hijacking(w http.ResponseWriter) http.ResponseWriter { return hijacking{w} }

type hijacking struct{ http.ResponseWriter }

// Hijack takes over the connection.
func (h hijacking) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return Linger(conn), buffered, nil
}

// Flush sends what was written.
func (h hijacking) Flush() { _ = http.NewResponseController(h.ResponseWriter).Flush() }
