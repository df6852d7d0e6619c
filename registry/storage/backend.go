// Package storage keeps objects in etcd: embedded in the process or external, encrypted at rest where asked, behind one
// watch cache per resource that in-process informers read along with.
package storage

import (
	"context"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"k8s.io/apiserver/pkg/storage/etcd3"
	"k8s.io/utils/clock"
)

const (
	// Root is the prefix of all keys.
	Root = "/registry"

	compactInterval = 5 * time.Minute
	healthTimeout   = 2 * time.Second
)

// Backend is a connection to etcd, shared by all resources of a server.
type Backend struct {
	// Client reads and writes keys. Use ends with Close.
	Client *kubernetes.Client
	// Upkeep looks after an embedded etcd; nil if it is external.
	Upkeep    *Upkeep
	compactor etcd3.Compactor
	close     func()
	probe     probe
	failed    <-chan struct{} // nil: it cannot fail for good
	why       func() error
}

// newBackend keeps history for the compactor's interval. closeClient ends the client and what is behind it.
func newBackend(client *clientv3.Client, closeClient func()) *Backend {
	compactor := etcd3.NewCompactor(client, compactInterval, clock.RealClock{}, nil)
	b := &Backend{
		Client:    kubernetesClient(client),
		compactor: compactor,
		close: func() {
			compactor.Stop()
			closeClient()
		},
	}
	b.probe.ask = func() error { return b.read(context.Background()) }
	return b
}

// Close stops the compaction of history, the client and, if it is embedded, etcd. All stores must have been destroyed.
func (b *Backend) Close() { b.close() }

// Failed is closed when an embedded etcd cannot go on, because of its disk for instance. Err then says why. The backend can only be
// closed, and the process is better ended soon: of goroutines that etcd has stopped in the midst of something others may wait for.
func (b *Backend) Failed() <-chan struct{} { return b.failed }

// Err is why the backend failed; nil unless it has.
func (b *Backend) Err() error {
	if b.why == nil {
		return nil
	}
	return b.why()
}

// Healthy reports whether etcd answers, by its answer to who asked a moment ago perhaps.
func (b *Backend) Healthy() error { return b.probe.result() }

// read reads a key, through consensus.
func (b *Backend) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	if _, err := b.Client.Client.Get(ctx, Root+"/health"); err != nil {
		return fmt.Errorf("reading from etcd: %w", err)
	}
	return nil
}

func kubernetesClient(c *clientv3.Client) *kubernetes.Client {
	k := &kubernetes.Client{Client: c}
	k.Kubernetes = k
	return k
}
