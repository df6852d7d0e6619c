package view

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

const bearer = "of-the-kubeconfig"

// served is a local view of an API that a test plays.
type served struct {
	*local
	url, origin   string
	key           string // of an invitation
	cookie, token string // of a session, once entered
}

func serve(t *testing.T, api http.HandlerFunc) *served {
	t.Helper()
	backend := httptest.NewServer(api)
	t.Cleanup(backend.Close)
	front := httptest.NewUnstartedServer(nil)
	l, err := newLocal(front.Listener.Addr().String(), Options{Config: &rest.Config{Host: backend.URL, BearerToken: bearer}, Context: "test", Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	front.Config.Handler = l
	front.Start()
	t.Cleanup(front.Close)
	_, key, _ := strings.Cut(l.invite(), "#key=")
	return &served{local: l, url: front.URL, origin: front.URL, key: key}
}

// enter opens a session for the requests that follow.
func (s *served) enter(t *testing.T) {
	t.Helper()
	response := s.do(t, http.MethodPost, "/ui/session", http.Header{"Content-Type": {"application/json"}, header: {"enter"}, "Origin": {s.origin}}, `{"Key":"`+s.key+`"}`)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("entering with an invitation: %s", response.Status)
	}
	var got struct{ Token string }
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	s.token = got.Token
	for _, c := range response.Cookies() {
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Domain != "" {
			t.Errorf("the session's cookie is not kept from scripts and other sites: %v", c)
		}
		s.cookie = c.Name + "=" + c.Value
	}
}

// inside are the headers of a request within the session.
func (s *served) inside() http.Header {
	return http.Header{"Cookie": {s.cookie}, header: {s.token}}
}

func (s *served) do(t *testing.T, method, path string, h http.Header, body string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if h != nil {
		r.Header = h
		r.Host = h.Get("Host")
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func TestOtherNamesAreRefused(t *testing.T) {
	s := serve(t, nil)
	port := s.url[strings.LastIndex(s.url, ":"):]
	for host, want := range map[string]int{
		"": http.StatusOK, "127.0.0.1" + port: http.StatusOK, "localhost" + port: http.StatusOK,
		"evil.example": http.StatusMisdirectedRequest, "evil.example" + port: http.StatusMisdirectedRequest,
		"127.0.0.1": http.StatusMisdirectedRequest, "127.0.0.1.evil.example" + port: http.StatusMisdirectedRequest,
	} {
		if got := s.do(t, http.MethodGet, "/ui/", http.Header{"Host": {host}}, "").StatusCode; got != want {
			t.Errorf("a request to %q: %d, want %d", host, got, want)
		}
	}
}

func TestOtherSitesAreRefused(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
	s.enter(t)
	for _, c := range []struct {
		name, method, path string
		h                  map[string]string
		want               int
	}{
		{"the page's own", "GET", "/api", map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		{"the page's own, with its origin", "POST", "/apis", map[string]string{"Origin": s.origin}, 200},
		{"another origin's", "POST", "/api", map[string]string{"Origin": "https://evil.example"}, 403},
		{"that of a page without an origin", "POST", "/api", map[string]string{"Origin": "null"}, 403},
		{"that of another port of this host", "GET", "/api", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"that of another site", "GET", "/api", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403},
		{"a form of another site", "POST", "/api", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 403},
		{"a frame of another site", "GET", "/ui/", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403},
		{"a link of another site to the page", "GET", "/ui/", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200},
		{"a question whether another site may", "OPTIONS", "/api", map[string]string{"Origin": "https://evil.example", "Access-Control-Request-Headers": header}, 403},
	} {
		h := s.inside()
		for k, v := range c.h {
			h.Set(k, v)
		}
		response := s.do(t, c.method, c.path, h, "")
		if response.StatusCode != c.want {
			t.Errorf("%s: %s, want %d", c.name, response.Status, c.want)
		}
		if response.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: others are allowed to read the answer", c.name)
		}
	}
}

func TestSessionIsCookieAndToken(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
	s.enter(t)
	other := *s
	_, other.key, _ = strings.Cut(s.invite(), "#key=")
	other.enter(t)
	for _, path := range []string{"/api/v1/secrets", "/ui/session", "/ui/forwards", "/ui/forwards/1", "/ui/streams", "/version"} {
		for name, h := range map[string]http.Header{
			"nothing":               {},
			"the cookie alone":      {"Cookie": {s.cookie}},
			"the token alone":       {header: {s.token}},
			"another's token":       {"Cookie": {s.cookie}, header: {other.token}},
			"a bearer token":        {"Authorization": {"Bearer " + s.token}},
			"the token in an URL":   {"Cookie": {s.cookie}},
			"an empty token":        {"Cookie": {s.cookie}, header: {""}},
			"the token as protocol": {"Cookie": {s.cookie}, "Sec-Websocket-Protocol": {tokenPrefix + s.token}},
		} {
			if name == "the token in an URL" {
				path += "?token=" + s.token
			}
			if got := s.do(t, http.MethodGet, path, h, "").StatusCode; got != http.StatusUnauthorized {
				t.Errorf("%s with %s: %d", path, name, got)
			}
		}
	}
	if got := s.do(t, http.MethodGet, "/api/v1/pods", s.inside(), "").StatusCode; got != http.StatusOK {
		t.Errorf("with both: %d", got)
	}
}

func TestInvitationOpensOneSession(t *testing.T) {
	s := serve(t, nil)
	try := func(key string, h http.Header) int {
		return s.do(t, http.MethodPost, "/ui/session", h, `{"Key":"`+key+`"}`).StatusCode
	}
	good := func() http.Header { return http.Header{"Content-Type": {"application/json"}, header: {"enter"}} }
	if got := try("WRONG", good()); got != http.StatusForbidden {
		t.Errorf("a wrong key: %d", got)
	}
	if got := try(s.key, http.Header{"Content-Type": {"text/plain"}}); got != http.StatusForbidden {
		t.Errorf("as a form of another site could: %d", got)
	}
	if got := try(s.key, good()); got != http.StatusOK {
		t.Errorf("the key: %d", got)
	}
	if got := try(s.key, good()); got != http.StatusForbidden {
		t.Errorf("the key again: %d", got)
	}
}

func TestRequestsGoAsTheContextsUser(t *testing.T) {
	var got *http.Request
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Clone(t.Context())
		_, _ = io.WriteString(w, "{}")
	})
	s.enter(t)
	h := s.inside()
	for k, v := range map[string]string{
		"Accept": "application/yaml", "Authorization": "Bearer mine", "Impersonate-User": "admin", "X-Remote-User": "admin", "X-Forwarded-For": "10.0.0.1",
		"Origin": s.origin, "Referer": s.origin + "/ui/", "X-Forwarded-Host": "evil.example",
	} {
		h.Set(k, v)
	}
	s.do(t, http.MethodGet, "/api/v1/pods?limit=5", h, "")
	if got == nil || got.URL.String() != "/api/v1/pods?limit=5" || got.Header.Get("Accept") != "application/yaml" || got.Header.Get("Authorization") != "Bearer "+bearer {
		t.Fatalf("the API got %v", got)
	}
	for _, name := range []string{"Cookie", "Origin", "Referer", "Impersonate-User", "X-Remote-User", "X-Forwarded-For", "X-Forwarded-Host", header} {
		if got.Header.Get(name) != "" {
			t.Errorf("the API got a browser's %s", name)
		}
	}
}

func TestAnswersCannotActOnThePage(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for k, v := range map[string]string{
			"Content-Type": "text/html", "Set-Cookie": "a=b", "Location": "https://evil.example/", "Refresh": "0;url=https://evil.example/", "Content-Security-Policy": "default-src *",
			"X-Frame-Options": "ALLOWALL", "Access-Control-Allow-Origin": "*", "Cache-Control": "public",
		} {
			w.Header().Set(k, v)
		}
		w.WriteHeader(http.StatusFound)
		_, _ = io.WriteString(w, "<script>alert(1)</script>")
	})
	s.enter(t)
	response := s.do(t, http.MethodGet, "/api/v1/namespaces/a/configmaps/b", s.inside(), "")
	for name, want := range map[string]string{
		"Content-Security-Policy": sealed, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
		"Set-Cookie": "", "Location": "", "Refresh": "", "Access-Control-Allow-Origin": "",
	} {
		if got := strings.Join(response.Header.Values(name), " and "); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestOnlyTheAPIIsPassedOn(t *testing.T) {
	for path, want := range map[string]bool{
		"/api": true, "/api/v1/pods": true, "/apis/apps/v1/deployments": true, "/version": true, "/api/v1/namespaces/a/pods/b/log": true, "/api/v1/namespaces/a/pods/b/exec": true,
		"/api/v1/nodes/a/proxy/stats/summary": true, "/api/v1/nodes/a/proxy/stats/history?watch=true": true, "/api/v1/nodes/a/proxy/stats/history/x": false, "/api/v1/nodes/a/proxy/stats/": false,
		"/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node": true,
		"/api/v1/namespaces/a/pods/b/proxy/":                          false, "/api/v1/namespaces/a/services/http:b:80/proxy/x": false, "/api/v1/nodes/a/proxy/run": false, "/api/v1/nodes/a/proxy": false,
		"/api/v1/nodes/a:10250/proxy/stats/summary": false, "/metrics": false, "/debug/pprof": false, "/logs/": false, "/apiextensions": false, "/etc/passwd": false, "/ui/": false,
		"/api/../metrics": false, "/api//v1": false, "/api/v1/namespaces/a%2F..%2Fb/pods": false,
	} {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := isAPI(u); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestNothingRedirectsElsewhere(t *testing.T) {
	s := serve(t, nil)
	for _, path := range []string{"/", "/ui", "//evil.example/", "//evil.example/ui", "/ui//evil.example", "/ui/%2F/evil.example", "/?next=https://evil.example", "/ui/?to=//evil.example", `/\evil.example`} {
		r := httptest.NewRequest(http.MethodGet, "http://"+s.address+"/", nil)
		r.URL = &url.URL{Path: path}
		if before, query, ok := strings.Cut(path, "?"); ok {
			r.URL = &url.URL{Path: before, RawQuery: query}
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if to := w.Header().Get("Location"); to != "" && to != "/ui/" {
			t.Errorf("%s leads to %s", path, to)
		}
	}
}

func TestListensOnLoopbackOnly(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.com:0", "127.0.0.1"} {
		if l, err := Listen(address); err == nil {
			l.Close()
			t.Errorf("it listens on %s", address)
		}
	}
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func TestNoPathOrHeaderLeadsAround(t *testing.T) {
	reached := make(chan string, 100)
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { reached <- r.Method + " " + r.URL.String() })
	s.enter(t)
	for _, path := range []string{
		"/ui/../api/v1/secrets", "/ui/..%2f..%2fapi/v1/secrets", "/ui/%2e%2e/api/v1/secrets", "/ui/./../../etc/passwd", "/ui/..%5c..%5cetc", "/ui/session/../../api/v1/secrets",
		"/ui/forwards/../../api/v1/secrets", "/UI/session", "/api/v1/namespaces/a/pods/..%2f..%2fb", "/api/v1/%2e%2e/%2e%2e/metrics", "/ui/%0d%0aSet-Cookie:%20a=b", "/ui/?a=%0d%0aSet-Cookie:%20a=b",
	} {
		for name, h := range map[string]http.Header{"outside": {}, "inside": s.inside()} {
			response := s.do(t, http.MethodGet, path, h, "")
			if name == "outside" && response.StatusCode == http.StatusOK && !strings.HasPrefix(path, "/ui/?") || response.Header.Get("Set-Cookie") != "" || response.Header.Get("Location") != "" {
				t.Errorf("%s, %s: %s, %v", path, name, response.Status, response.Header)
			}
		}
	}
	for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
		h := s.inside()
		h.Set(name, http.MethodDelete)
		s.do(t, http.MethodGet, "/api/v1/pods?_method=DELETE", h, "")
		if got := <-reached; got != "GET /api/v1/pods?_method=DELETE" {
			t.Errorf("with %s the API got %s", name, got)
		}
	}
	select {
	case got := <-reached:
		t.Errorf("the API got %s", got)
	default:
	}
}

// What a browser had before it entered, and somebody may have given it, is worth nothing.
func TestSessionIsMadeOnlyHere(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
	given := s.sessions.cookie + "=CHOSEN"
	response := s.do(t, http.MethodPost, "/ui/session", http.Header{"Content-Type": {"application/json"}, header: {"chosen"}, "Cookie": {given}}, `{"Key":"`+s.key+`","Token":"chosen"}`)
	var got struct{ Token string }
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil || got.Token == "chosen" || len(got.Token) < 40 {
		t.Errorf("the token is %q, %v", got.Token, err)
	}
	cookies := response.Cookies()
	if len(cookies) != 1 || strings.Contains(cookies[0].Value, "CHOSEN") || len(cookies[0].Value) < 40 {
		t.Fatalf("the cookies are %v", cookies)
	}
	for _, h := range []http.Header{{"Cookie": {given}, header: {got.Token}}, {"Cookie": {given}, header: {"chosen"}}, {"Cookie": {given + "; " + s.sessions.cookie + "=" + cookies[0].Value}, header: {got.Token}}} {
		if code := s.do(t, http.MethodGet, "/api/v1/pods", h, "").StatusCode; code != http.StatusUnauthorized {
			t.Errorf("with %v: %d", h, code)
		}
	}
}
