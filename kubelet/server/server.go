// Package server is the kubelet's HTTPS API: logs, exec, attach, port-forward, Pods and figures of the node.
package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	cri "k8s.io/cri-api/pkg/apis"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/kubelet/history"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// Pods are those of the node.
type Pods interface {
	// Pods returns all, with their latest statuses.
	Pods() []*corev1.Pod
	// Pod returns one and what the runtime holds of it.
	Pod(namespace, name string) (*corev1.Pod, *runtime.Pod, error)
}

// Config is what the server needs.
type Config struct {
	// Address to listen on; empty for all. Port 0 takes any.
	Address     string
	Port        int32
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// ClientCA verifies who asks; without it only tokens count.
	ClientCA *x509.CertPool
	// ServerUser is the API server's own user, which is not asked about.
	ServerUser string
	NodeName   string
	// MaxPods is how many Pods the node takes.
	MaxPods int
	// Client reviews tokens and access.
	Client  kubernetes.Interface
	Pods    Pods
	Runtime cri.RuntimeService
	Images  cri.ImageManagerService
	// Streams run commands and reach ports; nil where the runtime's own server has to.
	Streams Streams
	// Metrics serves the kubelet's metrics, ProbeMetrics those of probes, Cadvisor those of what control groups use; nil for none.
	Metrics, ProbeMetrics, Cadvisor http.Handler
	// Count counts a request of a path's kind until what it returns is called; may be nil.
	Count func(method, path string) (end func())
	// History remembers what the node and its Pods used; nil where nobody does.
	History *history.Recorder
	// LocalVolumes makes (PUT) and deletes (DELETE) the volume that the path value name names; nil if the node has none.
	LocalVolumes http.Handler
	// RootDir is on the file system whose use is reported.
	RootDir string
	// Storage returns what Pods hold on disk. It is called only when somebody asks for that, and must not take long.
	Storage func(ctx context.Context, pods []*corev1.Pod) map[types.UID]Storage
	// Threads returns how many threads the machine may have, and has.
	Threads func() (limit, running int64, err error)
}

// Server serves the kubelet's API.
type Server struct {
	Config
	access *access
}

// New returns a server that does not listen yet.
func New(c Config) *Server {
	return &Server{Config: c, access: newAccess(c)}
}

// Run serves until ctx ends; streams end with it.
func (s *Server) Run(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(s.Address, strconv.Itoa(int(s.Port))))
	if err != nil {
		return fmt.Errorf("listening for the kubelet's API: %w", err)
	}
	logger := klog.FromContext(ctx).WithName("kubelet-server")
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       4 * time.Minute,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          log.New(logWriter{logger}, "", 0),
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, GetCertificate: s.Certificate,
			ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: s.ClientCA,
			// Exec, attach and port-forward take over the connection, which HTTP/2 cannot give away.
			NextProtos: []string{"http/1.1"},
		},
	}
	if s.ClientCA == nil {
		server.TLSConfig.ClientAuth = tls.NoClientCert
	}
	stopped := make(chan struct{})
	guard.GoThen("ending the kubelet's API", func() error {
		<-ctx.Done()
		short, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		return server.Shutdown(short)
	}, func(err error) {
		defer close(stopped)
		if err != nil {
			_ = server.Close() // whoever still reads has had its time
		}
	})
	err = server.ServeTLS(listener, "", "")
	if ctx.Err() != nil && errors.Is(err, http.ErrServerClosed) {
		<-stopped
		return nil
	}
	return fmt.Errorf("serving the kubelet's API: %w", err)
}

type logWriter struct{ logr.Logger }

// Write logs a line of net/http, which is about a client's doing.
func (w logWriter) Write(p []byte) (int, error) {
	w.V(2).Info(string(p))
	return len(p), nil
}

// Handler serves requests, each after a look at who asks and for what.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, rights []string, f http.HandlerFunc) {
		mux.Handle(pattern, s.counted(pattern, s.access.guard(rights, f)))
	}
	mux.HandleFunc("GET /healthz", healthy)
	handle("GET /healthz/{check}", []string{"healthz", "proxy"}, healthy)
	handle("GET /pods", []string{"pods", "proxy"}, s.pods)
	handle("GET /pods/{$}", []string{"pods", "proxy"}, s.pods)
	handle("GET /runningpods", []string{"pods", "proxy"}, s.runningPods)
	handle("GET /runningpods/{$}", []string{"pods", "proxy"}, s.runningPods)
	handle("GET /configz", []string{"configz", "proxy"}, s.configz)
	handle("GET /containerLogs/{namespace}/{pod}/{container}", []string{"proxy"}, s.containerLogs)
	for _, method := range []string{"GET", "POST"} {
		for _, middle := range []string{"", "{uid}/"} {
			handle(method+" /exec/{namespace}/{pod}/"+middle+"{container}", []string{"proxy"}, s.exec)
			handle(method+" /attach/{namespace}/{pod}/"+middle+"{container}", []string{"proxy"}, s.attach)
		}
		handle(method+" /portForward/{namespace}/{pod}", []string{"proxy"}, s.portForward)
		handle(method+" /portForward/{namespace}/{pod}/{uid}", []string{"proxy"}, s.portForward)
	}
	handle("POST /run/{namespace}/{pod}/{container}", []string{"proxy"}, s.run)
	handle("POST /run/{namespace}/{pod}/{uid}/{container}", []string{"proxy"}, s.run)
	handle("GET /stats/summary", []string{"stats", "proxy"}, s.summary)
	if s.History != nil {
		handle("GET /stats/history", []string{"stats", "proxy"}, s.history)
	}
	handle("GET /metrics", []string{"metrics", "proxy"}, serveOr404(s.Metrics))
	handle("GET /metrics/resource", []string{"metrics", "proxy"}, s.resourceMetrics)
	handle("GET /metrics/probes", []string{"metrics", "proxy"}, serveOr404(s.ProbeMetrics))
	handle("GET /metrics/cadvisor", []string{"metrics", "proxy"}, serveOr404(s.Cadvisor))
	handle("GET /logs/", []string{"log", "proxy"}, s.logs)
	for _, method := range []string{"PUT", "DELETE"} {
		handle(method+" /local-volumes/{name}", []string{"proxy"}, serveOr404(s.LocalVolumes))
	}
	mux.Handle("/", s.counted("GET /other", s.access.guard([]string{"proxy"}, http.NotFound)))
	return mux
}

// counted counts the requests of a pattern by its kind: the path until the first that differs from request to request.
func (s *Server) counted(pattern string, next http.Handler) http.Handler {
	if s.Count == nil {
		return next
	}
	_, path, _ := strings.Cut(pattern, "/")
	path, _, _ = strings.Cut(path, "/{")
	path = strings.TrimSuffix(path, "/")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.Count(r.Method, path)()
		next.ServeHTTP(w, r)
	})
}

func healthy(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte("ok")) // a client that went away
}

// serveOr404 serves by a handler that may be missing.
func serveOr404(h http.Handler) http.HandlerFunc {
	if h == nil {
		return http.NotFound
	}
	return h.ServeHTTP
}

func (s *Server) pods(w http.ResponseWriter, _ *http.Request) {
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}}
	for _, p := range s.Pods.Pods() {
		list.Items = append(list.Items, *p)
	}
	answer(w, list)
}

// runningPods are what runs, whatever should.
func (s *Server) runningPods(w http.ResponseWriter, _ *http.Request) {
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}}
	for _, p := range s.Pods.Pods() {
		_, observed, err := s.Pods.Pod(p.Namespace, p.Name)
		if err != nil || len(observed.Alive()) == 0 {
			continue
		}
		item := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: p.Namespace, UID: p.UID}}
		for _, c := range observed.Alive() {
			item.Spec.Containers = append(item.Spec.Containers, corev1.Container{Name: c.Name, Image: c.Image})
		}
		list.Items = append(list.Items, item)
	}
	answer(w, list)
}

func (s *Server) configz(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{"kubeletconfig": map[string]any{
		"kind": "KubeletConfiguration", "apiVersion": "kubelet.config.k8s.io/v1beta1",
		"port": s.Port, "maxPods": s.MaxPods, "cgroupDriver": "cgroupfs", "containerLogMaxSize": "10Mi", "containerLogMaxFiles": 5,
		"syncFrequency": "1m0s", "nodeStatusUpdateFrequency": "10s", "nodeLeaseDurationSeconds": 40,
	}})
}

func answer(w http.ResponseWriter, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(data) // a client that went away
}
