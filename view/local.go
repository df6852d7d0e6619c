package view

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/coracle-k8s/coracle/guard"
)

// Options say which cluster Serve shows.
type Options struct {
	// Config has the cluster's address and the credentials that everything is done with.
	Config *rest.Config
	// Context and Namespace are the kubeconfig's; the page shows them.
	Context, Namespace string
	// Out is told where the page is, once and again whenever that address was used.
	Out io.Writer
	// Open, unless nil, is called with the first address. It may stay until its context ends, when Serve does.
	Open func(ctx context.Context, address string) error
}

// Listen opens address, which must be on loopback: who reaches the page has the user's credentials one secret away.
func Listen(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("--address: %w", err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("--address: %q is not a loopback address like 127.0.0.1: nobody else may reach the page", host)
	}
	return net.Listen("tcp", address)
}

// Serve serves the page on listener until ctx ends.
func Serve(ctx context.Context, listener net.Listener, o Options) error {
	l, err := newLocal(listener.Addr().String(), o)
	if err != nil {
		return err
	}
	defer l.forwards.stopAll()
	server := &http.Server{Handler: l, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10, BaseContext: func(net.Listener) context.Context { return ctx }}
	defer context.AfterFunc(ctx, func() { guard.Do("ending the view", func() { _ = server.Close() }) })()
	first := l.invite()
	if o.Open != nil {
		opening, end := context.WithCancel(ctx)
		var browser guard.Group
		defer browser.Wait()
		defer end()
		browser.Go("opening a browser", func() {
			if err := o.Open(opening, first); err != nil {
				fmt.Fprintf(o.Out, "No browser could be opened (%v).\n", err)
			}
		})
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// local is the page with a way to the API that goes by the user's credentials.
type local struct {
	options  Options
	address  string
	hosts    map[string]bool // that requests may name
	sessions *sessions
	page     http.Handler
	api      *api
	forwards *forwards
}

func newLocal(address string, o Options) (*local, error) {
	api, err := newAPI(o.Config)
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return &local{
		options: o, address: address, page: page(modeLocal), api: api, sessions: newSessions("coracle-view-" + port),
		hosts:    map[string]bool{address: true, "localhost:" + port: true},
		forwards: newForwards(o.Config),
	}, nil
}

// invite makes an address that lets one browser in, once, and says it. The secret is in the fragment, which browsers send nowhere.
func (l *local) invite() string {
	address := "http://" + l.address + root + "/#key=" + l.sessions.invite()
	fmt.Fprintf(l.options.Out, "The view of %s is at (for one browser, once)\n  %s\n", l.options.Context, address)
	return address
}

// ServeHTTP lets the page itself be read, and everything else be done within a session. Names other than its own are refused:
// a site whose name leads to loopback is another site.
func (l *local) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header(), sealed)
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case !l.hosts[r.Host]:
		http.Error(w, "this is not "+r.Host, http.StatusMisdirectedRequest)
	case foreign(r):
		http.Error(w, "requests of other sites are refused", http.StatusForbidden)
	case r.URL.Path == "/":
		w.Header().Set("Location", root+"/")
		w.WriteHeader(http.StatusFound)
	case r.URL.Path == root+"/session" && r.Method == http.MethodPost:
		l.enter(w, r)
	case isOwn(r.URL.Path) && !strings.HasPrefix(r.URL.Path, root+"/session"):
		l.own(w, r)
	case r.URL.Path == root || strings.HasPrefix(r.URL.Path, root+"/") && r.URL.Path != root+"/session":
		l.page.ServeHTTP(w, r)
	case !l.sessions.has(r):
		refuse(w)
	case r.URL.Path == root+"/session":
		l.describe(w)
	default:
		l.api.ServeHTTP(w, r)
	}
}

// foreign tells requests that another site caused. Opening the page from anywhere is none of these.
func foreign(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
		return true
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	return r.Method != http.MethodGet || r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document"
}

func isOwn(path string) bool {
	return path == root+"/streams" || path == root+"/forwards" || strings.HasPrefix(path, root+"/forwards/")
}

// own is what the page asks of this package rather than of the API.
func (l *local) own(w http.ResponseWriter, r *http.Request) {
	switch {
	case !l.sessions.has(r):
		refuse(w)
	case r.URL.Path == root+"/streams":
		l.api.streams(w, r, l.forwards)
	default:
		l.forwards.ServeHTTP(w, r)
	}
}

func refuse(w http.ResponseWriter) {
	http.Error(w, "no session: open the address that coracle ui printed", http.StatusUnauthorized)
}

// enter exchanges a secret for a session.
func (l *local) enter(w http.ResponseWriter, r *http.Request) {
	var with struct{ Key string }
	if r.Header.Get(header) == "" || r.Header.Get("Content-Type") != "application/json" || json.NewDecoder(io.LimitReader(r.Body, 1<<10)).Decode(&with) != nil {
		http.Error(w, "this is for the page alone", http.StatusForbidden)
		return
	}
	cookie, token, ok := l.sessions.enter(with.Key)
	if !ok {
		http.Error(w, "this address was used before, or is of another run of coracle ui: use the one that it printed last", http.StatusForbidden)
		return
	}
	http.SetCookie(w, cookie)
	answer(w, map[string]string{"token": token})
	l.invite()
}

// describe says what is shown.
func (l *local) describe(w http.ResponseWriter) {
	answer(w, map[string]string{"context": l.options.Context, "namespace": l.options.Namespace, "server": l.options.Config.Host})
}

func answer(w http.ResponseWriter, what any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(what) // to a client that is there or not
}
