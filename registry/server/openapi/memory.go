package openapi

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apitypes "k8s.io/apimachinery/pkg/types"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

// How long other API servers are not asked again for the list of their documents, after they have answered, and after they have not:
// as upstream's aggregator asks them.
const (
	knownFor   = time.Minute
	unknownFor = 10 * time.Second
)

// memory is the hashes of other API servers' documents. The zero value knows none.
type memory struct {
	mu    sync.Mutex
	known map[apitypes.UID]*answer
}

type answer struct {
	spec   apiregistrationv1.APIServiceSpec
	hash   string // "": the server has not said
	asking bool
	until  time.Time
}

// mayAsk reports whether the caller is to ask a server now, and to call learn then. While somebody does, others get what was known.
func (m *memory) mayAsk(s *apiregistrationv1.APIService, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = map[apitypes.UID]*answer{}
	}
	is := m.known[s.UID]
	if is == nil || !equality.Semantic.DeepEqual(is.spec, s.Spec) {
		is = &answer{spec: s.Spec}
		m.known[s.UID] = is
	}
	if is.asking || now.Before(is.until) {
		return false
	}
	is.asking = true
	return true
}

// learn ends what mayAsk has begun. hash is empty if the server has not answered; what it said before counts on then.
func (m *memory) learn(s *apiregistrationv1.APIService, hash string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	is := m.known[s.UID]
	if is == nil {
		return
	}
	is.asking, is.until = false, now.Add(unknownFor)
	if hash != "" {
		is.hash, is.until = hash, now.Add(knownFor)
	}
}

// of is hashes by path, and forgets all other servers.
func (m *memory) of(services []*apiregistrationv1.APIService) map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	hashes, kept := map[string]string{}, map[apitypes.UID]*answer{}
	for _, s := range services {
		is := m.known[s.UID]
		if is == nil {
			continue
		}
		kept[s.UID] = is
		if is.hash != "" {
			hashes[pathOf(s)] = is.hash
		}
	}
	m.known = kept
	return hashes
}
