package view

import (
	"io"
	"net/http"
	"strings"
	"testing"
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
