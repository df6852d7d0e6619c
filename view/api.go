package view

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
)

// api passes requests on with the user's credentials.
type api struct {
	server    *url.URL
	transport http.RoundTripper // HTTP/2 where it can
	proxy     *httputil.ReverseProxy
	upgrade   *httputil.ReverseProxy // HTTP/1.1: what becomes a WebSocket
}

// passed are the headers that requests keep. What else a browser sends (cookies, where it comes from) is not the API's to know.
var passed = []string{"Accept", "Accept-Encoding", "Content-Type", "Content-Length", "If-Match", "If-None-Match"}

func newAPI(c *rest.Config) (*api, error) {
	server, _, err := rest.DefaultServerUrlFor(c)
	if err != nil {
		return nil, fmt.Errorf("reading the server's address: %w", err)
	}
	server = &url.URL{Scheme: server.Scheme, Host: server.Host, Path: strings.TrimSuffix(server.Path, "/")}
	c = rest.CopyConfig(c)
	c.Timeout = 0 // watches have none
	transport, err := rest.TransportFor(c)
	if err != nil {
		return nil, fmt.Errorf("reading the credentials: %w", err)
	}
	old := rest.CopyConfig(c)
	old.NextProtos = []string{"http/1.1"}
	upgrades, err := rest.TransportFor(old)
	if err != nil {
		return nil, fmt.Errorf("reading the credentials: %w", err)
	}
	a := &api{server: server, transport: transport}
	a.proxy = &httputil.ReverseProxy{Rewrite: a.rewrite, Transport: transport, FlushInterval: -1, ModifyResponse: modify, ErrorHandler: unreachable}
	a.upgrade = &httputil.ReverseProxy{Rewrite: a.rewrite, Transport: upgrades, ModifyResponse: modify, ErrorHandler: unreachable}
	return a, nil
}

// ServeHTTP passes a request on. It trusts that the request is within a session.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case !isAPI(r.URL):
		http.Error(w, "there is nothing here", http.StatusNotFound)
	case isWebSocket(r):
		a.upgrade.ServeHTTP(w, r)
	default:
		a.proxy.ServeHTTP(w, r)
	}
}

// proxied are the subresources behind which others answer than the API: pages of Pods and Services have no place at this origin.
// A kubelet's figures are the exception.
var (
	proxied = regexp.MustCompile(`^/api/v1/(namespaces/[^/]+/(pods|services)|nodes)/[^/]+/proxy(/|$)`)
	figures = regexp.MustCompile(`^/api/v1/nodes/[^/:]+/proxy/stats/(summary|history)$`)
)

// isAPI tells the URLs that are passed on: those of objects, and a few that describe the server.
func isAPI(u *url.URL) bool {
	p := u.Path
	if strings.Contains(p, "..") || strings.Contains(p, "//") || u.RawPath != "" && strings.Contains(strings.ToLower(u.RawPath), "%2f") {
		return false
	}
	if proxied.MatchString(p) {
		return figures.MatchString(p)
	}
	return strings.HasPrefix(p, "/api/") || strings.HasPrefix(p, "/apis/") ||
		slices.Contains([]string{"/api", "/apis", "/version", "/readyz", "/livez"}, p)
}

// rewrite makes a request the API's.
func (a *api) rewrite(r *httputil.ProxyRequest) {
	kept := http.Header{}
	for _, name := range passed {
		if values := r.In.Header.Values(name); len(values) > 0 {
			kept[http.CanonicalHeaderKey(name)] = values
		}
	}
	if isWebSocket(r.In) {
		_, protocols := takeToken(r.In.Header)
		kept.Set("Connection", "Upgrade")
		kept.Set("Upgrade", "websocket")
		kept.Set("Sec-Websocket-Version", r.In.Header.Get("Sec-Websocket-Version"))
		kept.Set("Sec-Websocket-Key", r.In.Header.Get("Sec-Websocket-Key"))
		kept.Set("Sec-Websocket-Protocol", strings.Join(protocols, ", "))
	}
	kept.Set("User-Agent", "coracle-view")
	r.Out.Header = kept
	a.address(r.Out)
}

// address sends a request to the API's server.
func (a *api) address(r *http.Request) {
	r.URL.Scheme, r.URL.Host, r.Host = a.server.Scheme, a.server.Host, ""
	r.URL.Path = a.server.Path + r.URL.Path
	r.URL.RawPath = ""
}

// modify takes from an answer what would act on the page's origin.
func modify(r *http.Response) error {
	for _, name := range []string{"Set-Cookie", "Location", "Refresh", "Access-Control-Allow-Origin", "Alt-Svc", "Strict-Transport-Security", "Clear-Site-Data", "Link"} {
		r.Header.Del(name)
	}
	for name := range r.Header {
		if _, ours := overridden[name]; ours {
			r.Header.Del(name)
		}
	}
	return nil
}

// overridden are the headers that secure has set.
var overridden = func() http.Header {
	h := http.Header{"Cache-Control": nil}
	secure(h, sealed)
	return h
}()

func unreachable(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
}
