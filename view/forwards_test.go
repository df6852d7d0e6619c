package view

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

func TestForwardsSayWhyTheyFail(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"you may not forward","code":403}`)
	})
	s.enter(t)
	for _, c := range []struct {
		method, path, body string
		code               int
		says               string
	}{
		{http.MethodGet, "/ui/forwards", "", http.StatusOK, "[]"},
		{http.MethodPost, "/ui/forwards", "{}", http.StatusBadRequest, "a port"},
		{http.MethodPost, "/ui/forwards", "nonsense", http.StatusBadRequest, "a port"},
		{http.MethodPost, "/ui/forwards", `{"namespace":"a","pod":"b","port":99999}`, http.StatusBadRequest, "a port"},
		{http.MethodPost, "/ui/forwards", `{"namespace":"a","pod":"b","port":80}`, http.StatusBadGateway, "you may not forward"},
		{http.MethodDelete, "/ui/forwards/7", "", http.StatusNoContent, ""},
		{http.MethodPut, "/ui/forwards", "", http.StatusMethodNotAllowed, ""},
	} {
		response := s.do(t, c.method, c.path, s.inside(), c.body)
		body, _ := io.ReadAll(response.Body)
		if response.StatusCode != c.code || !strings.Contains(string(body), c.says) {
			t.Errorf("%s %s %s: %s, %q", c.method, c.path, c.body, response.Status, body)
		}
	}
	if left := s.forwards.list(); len(left) != 0 {
		t.Errorf("of these remain %v", left)
	}
}

func TestForwardsAreFollowed(t *testing.T) {
	s := serve(t, nil)
	s.enter(t)
	conn, _ := s.dial(t, "/ui/streams", s.origin, s.token, protocol)
	if err := conn.WriteMessage(websocket.TextMessage, []byte(`{"ID":5,"Path":"/ui/forwards"}`)); err != nil {
		t.Fatal(err)
	}
	want := func(kind byte, content string) {
		t.Helper()
		if id, k, c := next(t, conn); id != 5 || k != kind || !strings.Contains(c, content) {
			t.Fatalf("a message of stream %d, %d, %q; want %d, %q", id, k, c, kind, content)
		}
	}
	want(messageHead, "200")
	want(messageData, "[]")
	one := &forward{ID: 3, Namespace: "a", Pod: "b", Port: 80, Local: 4000}
	s.forwards.mu.Lock()
	s.forwards.open[one.ID] = one
	s.forwards.tell()
	s.forwards.mu.Unlock()
	want(messageData, `"pod":"b"`)
	s.forwards.forget(one)
	want(messageData, "[]")
}
