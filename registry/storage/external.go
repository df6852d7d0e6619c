package storage

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	apistorage "k8s.io/apiserver/pkg/storage"
	etcdfeature "k8s.io/apiserver/pkg/storage/feature"
)

// Cluster says where an external etcd cluster is and how to authenticate to it.
type Cluster struct {
	// Endpoints are URLs.
	Endpoints []string
	// CAFile verifies the servers; CertFile and KeyFile are the client's. All three are needed for https endpoints whose
	// certificates no system authority signed, and which ask for one.
	CAFile, CertFile, KeyFile string
}

const (
	dialTimeout      = 20 * time.Second
	keepaliveTime    = 30 * time.Second
	keepaliveTimeout = 10 * time.Second
)

// External connects to a cluster and makes sure that it answers.
func External(ctx context.Context, cluster Cluster) (*Backend, error) {
	c := clientv3.Config{
		Endpoints:            cluster.Endpoints,
		DialTimeout:          dialTimeout,
		DialKeepAliveTime:    keepaliveTime,
		DialKeepAliveTimeout: keepaliveTimeout,
		Logger:               zap.NewNop(),
	}
	files := transport.TLSInfo{CertFile: cluster.CertFile, KeyFile: cluster.KeyFile, TrustedCAFile: cluster.CAFile}
	if cluster.CAFile != "" || cluster.CertFile != "" {
		var err error
		if c.TLS, err = files.ClientConfig(); err != nil {
			return nil, fmt.Errorf("reading the TLS files for etcd: %w", err)
		}
	}
	client, err := clientv3.New(c)
	if err != nil {
		return nil, fmt.Errorf("connecting to etcd: %w", err)
	}
	etcdfeature.DefaultFeatureSupportChecker.CheckClient(client.Ctx(), client, apistorage.RequestWatchProgress)
	b := newBackend(client, func() { _ = client.Close() })
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := b.reach(ctx); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// reach tries until etcd answers or ctx ends: servers and their etcd are often started together.
func (b *Backend) reach(ctx context.Context) error {
	for {
		err := b.read(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for etcd at %v: %w", b.Client.Endpoints(), err)
		case <-time.After(time.Second):
		}
	}
}
