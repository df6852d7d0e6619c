package view

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/coracle-k8s/coracle/guard"
)

const (
	// A browser has six connections to a host, and a page watches more kinds than that: all its watches go through one WebSocket.
	mostStreams = 64
	// A page that cannot be written to or does not answer for this long has gone, and its watches end.
	patience = 45 * time.Second
	ping     = 15 * time.Second
)

// What a message to the page is, in the byte after the stream's number.
const (
	messageHead = iota // the status, three digits, and the error's body
	messageData
	messageEnd // and why, if it was not the server's wish
)

// order is a message from the page: open a stream, or (without a path) close it.
type order struct {
	ID     uint32
	Path   string
	Accept string
}

// streams serves a page's watches and logs, and what becomes of its forwards.
func (a *api) streams(w http.ResponseWriter, r *http.Request, f *forwards) {
	upgrader := websocket.Upgrader{Subprotocols: []string{protocol}, CheckOrigin: func(r *http.Request) bool { return r.Header.Get("Origin") == "http://"+r.Host }}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(r.Context())
	m := &streams{api: a, forwards: f, conn: conn, cancel: cancel, open: map[uint32]context.CancelFunc{}}
	defer m.running.Wait()
	defer cancel()
	m.running.Go("pinging a page", func() { m.ping(ctx) })
	m.read(ctx)
}

// streams are those of one page.
type streams struct {
	api      *api
	forwards *forwards
	conn     *websocket.Conn
	cancel   context.CancelFunc // ends all
	running  guard.Group

	writing sync.Mutex // held while a message is written, for no longer than patience

	mu   sync.Mutex
	open map[uint32]context.CancelFunc
}

// read obeys the page until it goes.
func (m *streams) read(ctx context.Context) {
	m.conn.SetReadLimit(16 << 10)
	alive := func() { _ = m.conn.SetReadDeadline(time.Now().Add(patience)) }
	m.conn.SetPongHandler(func(string) error { alive(); return nil })
	for ctx.Err() == nil {
		alive()
		_, message, err := m.conn.ReadMessage()
		if err != nil {
			return
		}
		var o order
		if json.Unmarshal(message, &o) != nil {
			return
		}
		m.obey(ctx, o)
	}
}

func (m *streams) obey(ctx context.Context, o order) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if stop := m.open[o.ID]; stop != nil {
		if o.Path == "" {
			stop()
		}
		return
	}
	if o.Path == "" {
		return // it ended by itself meanwhile
	}
	ctx, m.open[o.ID] = context.WithCancel(ctx)
	tooMany := len(m.open) > mostStreams
	m.running.Go("streaming to a page", func() {
		defer m.forget(o.ID)
		if tooMany {
			m.write(o.ID, messageHead, []byte("429too many streams"))
			return
		}
		if o.Path == root+"/forwards" {
			m.write(o.ID, messageHead, []byte("200"))
			m.forwards.follow(ctx, func(line []byte) { m.write(o.ID, messageData, line) })
			return
		}
		m.pass(ctx, o)
	})
}

func (m *streams) forget(id uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open[id]()
	delete(m.open, id)
}

// pass passes an answer on as it comes.
func (m *streams) pass(ctx context.Context, o order) {
	u, err := url.ParseRequestURI(o.Path)
	if err != nil || u.Host != "" || !isAPI(u) {
		m.write(o.ID, messageHead, []byte("404there is nothing here"))
		return
	}
	r := (&http.Request{Method: http.MethodGet, URL: u, Header: http.Header{"User-Agent": {"coracle-view"}}}).WithContext(ctx)
	r.Header.Set("Accept", o.Accept)
	m.api.address(r)
	response, err := m.api.transport.RoundTrip(r)
	if err != nil {
		m.write(o.ID, messageHead, append([]byte("502"), err.Error()...))
		return
	}
	defer response.Body.Close()
	head := []byte(response.Status[:3])
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10)) // what is there of it
		m.write(o.ID, messageHead, append(head, body...))
		return
	}
	m.write(o.ID, messageHead, head)
	m.copy(ctx, o.ID, response.Body)
}

func (m *streams) copy(ctx context.Context, id uint32, body io.Reader) {
	chunk := make([]byte, 32<<10)
	for {
		n, err := body.Read(chunk)
		if n > 0 {
			m.write(id, messageData, chunk[:n])
		}
		switch {
		case ctx.Err() != nil:
			return
		case err == io.EOF:
			m.write(id, messageEnd, nil)
			return
		case err != nil:
			m.write(id, messageEnd, []byte(err.Error()))
			return
		}
	}
}

// write sends a message. A page that takes none for too long has gone.
func (m *streams) write(id uint32, kind byte, content []byte) {
	message := append(append(binary.BigEndian.AppendUint32(make([]byte, 0, 5+len(content)), id), kind), content...)
	m.writing.Lock()
	defer m.writing.Unlock()
	_ = m.conn.SetWriteDeadline(time.Now().Add(patience))
	if m.conn.WriteMessage(websocket.BinaryMessage, message) != nil {
		m.cancel()
		m.conn.Close()
	}
}

func (m *streams) ping(ctx context.Context) {
	ticks := time.NewTicker(ping)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			m.conn.Close() // so that read ends too
			return
		case <-ticks.C:
			if m.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(patience)) != nil {
				m.cancel()
			}
		}
	}
}
