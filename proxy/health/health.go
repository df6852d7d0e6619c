// Package health tells load balancers whether this node has endpoints of a Service.
package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/proxy/service"
)

// Servers answer at the health check ports of Services: 200 where the node
// has endpoints, 503 where not.
type Servers struct {
	mu      sync.Mutex
	servers map[int32]*server
	running sync.WaitGroup
}

type server struct {
	http *http.Server

	mu    sync.Mutex
	name  types.NamespacedName
	local int
}

// New returns servers for no Service.
func New() *Servers { return &Servers{servers: map[int32]*server{}} }

// Set makes the servers those of the snapshot. A port that cannot be had is
// in the error, and is tried again the next time.
func (s *Servers) Set(snapshot *service.Snapshot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := map[int32]*service.Service{}
	for _, svc := range snapshot.Services {
		if svc.HealthCheckNodePort != 0 {
			wanted[svc.HealthCheckNodePort] = svc
		}
	}
	for port, running := range s.servers {
		if wanted[port] == nil {
			running.http.Close()
			delete(s.servers, port)
		}
	}
	var errs []error
	for port, svc := range wanted {
		if s.servers[port] == nil {
			started, err := s.start(port)
			if err != nil {
				errs = append(errs, fmt.Errorf("serving the health of %s: %w", svc, err))
				continue
			}
			s.servers[port] = started
		}
		s.servers[port].set(svc)
	}
	return errors.Join(errs...)
}

// Close stops all servers, and returns when they have stopped.
func (s *Servers) Close() {
	s.mu.Lock()
	for port, running := range s.servers {
		running.http.Close()
		delete(s.servers, port)
	}
	s.mu.Unlock()
	s.running.Wait()
}

func (s *Servers) start(port int32) (*server, error) {
	listener, err := net.Listen("tcp", ":"+strconv.Itoa(int(port)))
	if err != nil {
		return nil, err
	}
	started := &server{}
	started.http = &http.Server{Handler: started, ReadHeaderTimeout: 5 * time.Second}
	s.running.Go(func() {
		if err := started.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			klog.FromContext(context.Background()).Error(err, "Serving the health of a service", "port", port)
		}
	})
	return started, nil
}

func (s *server) set(svc *service.Service) {
	local := map[string]struct{}{}
	for _, port := range svc.Ports {
		for _, target := range port.Local {
			local[target.Addr().String()] = struct{}{}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.name, s.local = svc.NamespacedName, len(local)
}

// ServeHTTP answers with the number of local endpoints.
func (s *server) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	name, local := s.name, s.local
	s.mu.Unlock()
	answer, err := json.Marshal(map[string]any{
		"service":             map[string]string{"namespace": name.Namespace, "name": name.Name},
		"localEndpoints":      local,
		"serviceProxyHealthy": true,
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("X-Load-Balancing-Endpoint-Weight", strconv.Itoa(local))
	if local == 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	w.Write(answer)
}
