package view

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"

	"github.com/coracle-k8s/coracle/guard"
)

// forwards are the ports of Pods that are reached by ports of this machine. A page cannot listen; this process does, on loopback,
// until it ends or is told to stop. What connects there needs no session: it is as with kubectl port-forward.
type forwards struct {
	config *rest.Config

	mu      sync.Mutex
	last    int
	open    map[int]*forward
	changed chan struct{} // closed, and another made, when open has changed
}

// forward is one, as the page sees it.
type forward struct {
	ID        int       `json:"id"`
	Namespace string    `json:"namespace"`
	Pod       string    `json:"pod"`
	Port      uint16    `json:"port"`
	Local     uint16    `json:"local"` // 0 asks for any
	Since     time.Time `json:"since"`

	stop func()
}

func newForwards(c *rest.Config) *forwards {
	return &forwards{config: c, open: map[int]*forward{}, changed: make(chan struct{})}
}

func (f *forwards) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, one := strings.CutPrefix(r.URL.Path, root+"/forwards/")
	switch {
	case r.Method == http.MethodGet && !one:
		answer(w, f.list())
	case r.Method == http.MethodPost && !one:
		var asked forward
		if err := json.NewDecoder(io.LimitReader(r.Body, 4<<10)).Decode(&asked); err != nil || asked.Port == 0 || asked.Pod == "" || asked.Namespace == "" {
			http.Error(w, "a namespace, a Pod and a port are needed", http.StatusBadRequest)
			return
		}
		if err := f.start(r.Context(), &asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		answer(w, &asked)
	case r.Method == http.MethodDelete && one:
		n, _ := strconv.Atoi(id) // 0 is none
		f.mu.Lock()
		defer f.mu.Unlock()
		if open := f.open[n]; open != nil {
			open.stop()
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		http.Error(w, "GET, POST or DELETE", http.StatusMethodNotAllowed)
	}
}

// follow tells what there is, at once and whenever that changes, until ctx ends.
func (f *forwards) follow(ctx context.Context, tell func(line []byte)) {
	for {
		f.mu.Lock()
		all, changed := f.all(), f.changed
		f.mu.Unlock()
		line, err := json.Marshal(all)
		if err != nil {
			return // they are numbers and names
		}
		tell(append(line, '\n'))
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// tell wakes who follows. It is called with mu held.
func (f *forwards) tell() {
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *forwards) list() []*forward {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all()
}

func (f *forwards) all() []*forward {
	all := make([]*forward, 0, len(f.open))
	for _, open := range f.open {
		all = append(all, open)
	}
	slices.SortFunc(all, func(a, b *forward) int { return a.ID - b.ID })
	return all
}

// start listens for one and completes it. It fails as the API says, or when ctx ends, who asked.
func (f *forwards) start(ctx context.Context, asked *forward) error {
	dialer, err := f.dialer(asked.Namespace, asked.Pod)
	if err != nil {
		return err
	}
	stopped, ready := make(chan struct{}), make(chan struct{})
	ports := []string{fmt.Sprintf("%d:%d", asked.Local, asked.Port)}
	forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, ports, stopped, ready, io.Discard, io.Discard)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	asked.stop = sync.OnceFunc(func() { close(stopped) })
	guard.Go("forwarding a port", func() {
		defer f.forget(asked)
		ended <- guard.Call("forwarding a port", forwarder.ForwardPorts)
	})
	select {
	case err := <-ended:
		return fmt.Errorf("forwarding port %d of Pod %s: %w", asked.Port, asked.Pod, err)
	case <-ctx.Done():
		asked.stop()
		return ctx.Err()
	case <-ready:
	}
	got, err := forwarder.GetPorts()
	if err != nil {
		asked.stop()
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	asked.ID, asked.Local, asked.Since = f.last, got[0].Local, time.Now()
	f.open[asked.ID] = asked
	f.tell()
	return nil
}

func (f *forwards) forget(gone *forward) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, gone.ID)
	f.tell()
}

// dialer reaches a Pod's ports, by WebSocket or, where a server is older, by SPDY.
func (f *forwards) dialer(namespace, pod string) (httpstream.Dialer, error) {
	server, _, err := rest.DefaultServerUrlFor(f.config)
	if err != nil {
		return nil, err
	}
	u := &url.URL{Scheme: server.Scheme, Host: server.Host, Path: strings.TrimSuffix(server.Path, "/") +
		"/api/v1/namespaces/" + url.PathEscape(namespace) + "/pods/" + url.PathEscape(pod) + "/portforward"}
	transport, upgrader, err := spdy.RoundTripperFor(f.config)
	if err != nil {
		return nil, err
	}
	old := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, u)
	tunnel, err := portforward.NewSPDYOverWebsocketDialer(u, f.config)
	if err != nil {
		return nil, err
	}
	return portforward.NewFallbackDialer(tunnel, old, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

func (f *forwards) stopAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, open := range f.open {
		open.stop()
	}
}
