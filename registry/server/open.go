package server

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/generic"
	flowcontrolrequest "k8s.io/apiserver/pkg/util/flowcontrol/request"

	"github.com/coracle-k8s/coracle/registry/resource"
	"github.com/coracle-k8s/coracle/registry/storage"
)

// openStorage connects to etcd, or starts it, and makes sure that what is there can be read.
func (s *Server) openStorage(ctx context.Context) (err error) {
	encryption, err := s.encryption(ctx)
	if err != nil {
		return err
	}
	if s.config.Etcd != nil {
		s.backend, err = storage.External(ctx, *s.config.Etcd)
	} else {
		s.backend, err = storage.Embedded(ctx, s.config.EtcdDir, s.config.EtcdQuota)
	}
	if err != nil {
		return fmt.Errorf("opening the storage: %w", err)
	}
	if err := encryption.Verify(ctx, s.backend); err != nil {
		s.backend.Close()
		return fmt.Errorf("opening the storage: %w", err)
	}
	s.stores = &storage.Stores{
		Backend: s.backend, Encryption: encryption, Tee: s.tee, Tracker: flowcontrolrequest.NewStorageObjectCountTracker(),
	}
	return nil
}

func (s *Server) encryption(ctx context.Context) (*storage.Encryption, error) {
	switch {
	case s.config.EncryptionConfigFile != "":
		return storage.EncryptAs(context.WithoutCancel(ctx), s.config.EncryptionConfigFile, "coracle")
	case len(s.config.EncryptionKey) > 0:
		return storage.EncryptSecrets([32]byte(s.config.EncryptionKey)), nil
	}
	return nil, nil
}

// build opens the stores of the declared resources.
func (s *Server) build() error {
	kit := resource.Kit{Scheme: s.scheme.Scheme, Options: func(gr schema.GroupResource, storedAs schema.GroupVersion) (generic.RESTOptions, error) {
		codec, writes, err := storage.BuiltIn(s.scheme.Codecs, storedAs, gr)
		if err != nil {
			return generic.RESTOptions{}, err
		}
		return s.stores.Options(gr, codec, writes), nil
	}}
	built, err := kit.Build(s.declarations...)
	if err != nil {
		return fmt.Errorf("building resources: %w", err)
	}
	s.tee.Absent(s.undeclared()...)
	return merge(s.endpoints, built)
}

// undeclared are kinds that somebody may ask the informers for but that have no store.
func (s *Server) undeclared() []schema.GroupVersionKind {
	declared := resource.Kinds(s.declarations...)
	return slices.DeleteFunc(s.scheme.Hubs(), func(gvk schema.GroupVersionKind) bool { return slices.Contains(declared, gvk) })
}
