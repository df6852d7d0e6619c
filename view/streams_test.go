package view

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/coracle-k8s/coracle/await"
)

// dial opens a page's WebSocket, or says why it may not be.
func (s *served) dial(t *testing.T, path, origin, token string, protocols ...string) (*websocket.Conn, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), await.Limit)
	defer cancel()
	d := websocket.Dialer{Subprotocols: append(protocols, tokenPrefix+token)}
	conn, response, err := d.DialContext(ctx, strings.Replace(s.url, "http", "ws", 1)+path, http.Header{"Cookie": {s.cookie}, "Origin": {origin}})
	if err != nil {
		if response == nil {
			t.Fatal(err)
		}
		return nil, response.StatusCode
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetReadDeadline(time.Now().Add(await.Limit))
	return conn, http.StatusSwitchingProtocols
}

// next reads a message of a stream.
func next(t *testing.T, conn *websocket.Conn) (id uint32, kind byte, content string) {
	t.Helper()
	_, message, err := conn.ReadMessage()
	if err != nil {
		t.Fatalf("waiting for a message: %v", err)
	}
	return binary.BigEndian.Uint32(message), message[4], string(message[5:])
}

func TestWatchesShareOneConnection(t *testing.T) {
	ended := make(chan string, 8)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		kind := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		if kind == "secrets" {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"kind":"Status","message":"no"}`)
			return
		}
		fmt.Fprintf(w, "%s %s as %s\n", kind, r.Header.Get("Accept"), r.Header.Get("Authorization"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		ended <- kind
	})
	s.enter(t)
	conn, _ := s.dial(t, "/ui/streams", s.origin, s.token, protocol)
	if conn.Subprotocol() != protocol {
		t.Errorf("the protocol is %q", conn.Subprotocol())
	}
	open := func(id int, path string) {
		if err := conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"ID":%d,"Path":%q,"Accept":"text/x"}`, id, path)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(id uint32, kind byte, content string) {
		t.Helper()
		if i, k, c := next(t, conn); i != id || k != kind || !strings.HasPrefix(c, content) {
			t.Fatalf("a message of stream %d, %d, %q; want %d, %d, %q", i, k, c, id, kind, content)
		}
	}
	open(1, "/api/v1/pods?watch=1")
	want(1, messageHead, "200")
	want(1, messageData, "pods text/x as Bearer "+bearer)
	open(2, "/api/v1/nodes?watch=1")
	want(2, messageHead, "200")
	want(2, messageData, "nodes")
	open(3, "/api/v1/secrets?watch=1")
	want(3, messageHead, "403{")
	for _, path := range []string{"https://evil.example/api", "/metrics", "/api/v1/namespaces/a/pods/b/proxy/", "//evil.example/api/v1"} {
		open(4, path)
		want(4, messageHead, "404")
		// Its number is free again when it has ended, which nobody is told: another one does as well.
		conn2, _ := s.dial(t, "/ui/streams", s.origin, s.token, protocol)
		conn.Close()
		conn = conn2
	}
	for range 2 {
		await.Receive(t, ended, "a watch ends with its page")
	}
}

func TestWatchThatIsLeftEnds(t *testing.T) {
	ended := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(ended)
	})
	s.enter(t)
	conn, _ := s.dial(t, "/ui/streams", s.origin, s.token, protocol)
	for _, message := range []string{`{"ID":7,"Path":"/api/v1/pods?watch=1"}`, `{"ID":7}`} {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(message, "Path") {
			next(t, conn)
		}
	}
	await.Receive(t, ended, "the watch ends when it is left")
}

func TestWebSocketsAreOfThePageAlone(t *testing.T) {
	s := serve(t, nil)
	s.enter(t)
	for _, path := range []string{"/ui/streams", "/api/v1/namespaces/a/pods/b/exec"} {
		for name, c := range map[string]struct{ origin, token string }{
			"another origin": {"https://evil.example", s.token}, "none": {"", s.token}, "no token": {s.origin, ""}, "a wrong token": {s.origin, "x"},
		} {
			if _, code := s.dial(t, path, c.origin, c.token, protocol); code == http.StatusSwitchingProtocols {
				t.Errorf("%s of %s is let in", path, name)
			}
		}
	}
}

func TestStreamsTakeNoHeadersFromThePage(t *testing.T) {
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("the API got %v", r.Header) })
	s.enter(t)
	conn, _ := s.dial(t, "/ui/streams", s.origin, s.token, protocol)
	if err := conn.WriteMessage(websocket.TextMessage, []byte(`{"ID":1,"Path":"/api/v1/pods","Accept":"a\r\nImpersonate-User: admin"}`)); err != nil {
		t.Fatal(err)
	}
	if _, kind, content := next(t, conn); kind != messageHead || !strings.HasPrefix(content, "502") {
		t.Errorf("%d, %q", kind, content)
	}
}

func TestExecIsPassedOn(t *testing.T) {
	got := make(chan *http.Request, 1)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got <- r
		u := websocket.Upgrader{Subprotocols: []string{"v5.channel.k8s.io"}}
		conn, err := u.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		kind, message, err := conn.ReadMessage()
		if err == nil {
			_ = conn.WriteMessage(kind, append([]byte("echo "), message...))
		}
	})
	s.enter(t)
	conn, code := s.dial(t, "/api/v1/namespaces/a/pods/b/exec?command=sh", s.origin, s.token, "v5.channel.k8s.io")
	if conn == nil {
		t.Fatalf("it is refused: %d", code)
	}
	if err := conn.WriteMessage(websocket.BinaryMessage, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, message, err := conn.ReadMessage(); err != nil || string(message) != "echo hello" {
		t.Fatalf("%q, %v", message, err)
	}
	r := await.Receive(t, got, "the API is asked")
	if r.Header.Get("Authorization") != "Bearer "+bearer || r.Header.Get("Cookie") != "" || r.Header.Get("Origin") != "" || strings.Contains(r.Header.Get("Sec-Websocket-Protocol"), tokenPrefix) {
		t.Errorf("the API got %v", r.Header)
	}
}
