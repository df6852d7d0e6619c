// Package health tells load balancers whether this node can take traffic: at all, and that of a Service.
package health

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/proxy/service"
)

// Servers answer at the health check ports of Services: 200 where the node
// has endpoints and its rules are recent, 503 where not.
type Servers struct {
	rules *Rules

	mu      sync.Mutex
	servers map[int32]*server
}

type server struct {
	rules   *Rules
	running *listening

	mu    sync.Mutex
	name  types.NamespacedName
	local int
}

// New returns servers for no Service.
func New(rules *Rules) *Servers { return &Servers{rules: rules, servers: map[int32]*server{}} }

// Set makes the servers those of the snapshot. A port that cannot be had is
// in the error, and is tried again the next time.
func (s *Servers) Set(snapshot *service.Snapshot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := map[int32]*service.Service{}
	for _, svc := range snapshot.Services {
		if svc.HealthCheckNodePort != 0 && !svc.Foreign {
			wanted[svc.HealthCheckNodePort] = svc
		}
	}
	for port, running := range s.servers {
		if wanted[port] == nil {
			running.running.close()
			delete(s.servers, port)
		}
	}
	var errs []error
	for port, svc := range wanted {
		if s.servers[port] == nil {
			started := &server{rules: s.rules}
			var err error
			if started.running, err = listen(":"+strconv.Itoa(int(port)), started); err != nil {
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
	defer s.mu.Unlock()
	for port, running := range s.servers {
		running.running.close()
		delete(s.servers, port)
	}
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
	healthy := s.rules.Healthy()
	answer, err := json.Marshal(map[string]any{
		"service":             map[string]string{"namespace": name.Namespace, "name": name.Name},
		"localEndpoints":      local,
		"serviceProxyHealthy": healthy,
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("X-Load-Balancing-Endpoint-Weight", strconv.Itoa(local))
	if local == 0 || !healthy {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	w.Write(answer)
}
