package admission

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/restmapper"
)

// mapper asks the server what it serves on first use, and again when it is asked for what it does not know: nothing runs
// while no policy does.
type mapper struct {
	meta.ResettableRESTMapper
	mu    sync.Mutex
	asked time.Time
}

// again is how often unknown kinds make the server be asked.
const again = time.Second

// Discovered maps kinds to resources by asking a server.
func Discovered(client discovery.DiscoveryInterface) meta.RESTMapper {
	return &mapper{ResettableRESTMapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client))}
}

// RESTMapping implements meta.RESTMapper.
func (m *mapper) RESTMapping(gk schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	found, err := m.ResettableRESTMapper.RESTMapping(gk, versions...)
	if !meta.IsNoMatchError(err) || !m.reset() {
		return found, err
	}
	return m.ResettableRESTMapper.RESTMapping(gk, versions...)
}

func (m *mapper) reset() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.asked) < again {
		return false
	}
	m.asked = time.Now()
	m.Reset()
	return true
}
