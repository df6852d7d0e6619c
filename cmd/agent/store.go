package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/util/certificate"

	"github.com/coracle-k8s/coracle/cmd/cluster/pki"
)

// store is a certificate and its key in one file, and what is used of it now.
type store struct {
	path    string
	current atomic.Pointer[tls.Certificate]
	// changed is called after each renewal, once set.
	changed func()
	// filled is closed when there is one.
	filled chan struct{}
	once   sync.Once
}

var _ certificate.Store = (*store)(nil)

// openStore reads the file, if it is there.
func openStore(path string) (*store, error) {
	s := &store{path: path, filled: make(chan struct{})}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(content, content)
	if err != nil {
		return nil, fmt.Errorf("reading certificate and key %s: %w", path, err)
	}
	s.use(&pair)
	return s, nil
}

// Current implements certificate.Store.
func (s *store) Current() (*tls.Certificate, error) {
	if pair := s.current.Load(); pair != nil {
		return pair, nil
	}
	none := certificate.NoCertKeyError("there is no " + s.path)
	return nil, &none
}

// Update implements certificate.Store. What it returns is in the file, and used from now on.
func (s *store) Update(cert, key []byte) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("taking a new certificate for %s: %w", s.path, err)
	}
	if err := pki.WriteFile(s.path, slices.Concat(cert, key), 0o600); err != nil {
		return nil, err
	}
	s.use(&pair)
	if s.changed != nil {
		s.changed()
	}
	return &pair, nil
}

func (s *store) use(pair *tls.Certificate) {
	s.current.Store(pair)
	s.once.Do(func() { close(s.filled) })
}

// await returns when there is a certificate, or it has waited long enough for one.
func (s *store) await(ctx context.Context, patience time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-s.filled:
	case <-ctx.Done():
	}
}

// get is for TLS servers.
func (s *store) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if pair := s.current.Load(); pair != nil {
		return pair, nil
	}
	return nil, errors.New("the kubelet has no certificate yet: kubectl get csr shows whether it was approved")
}
