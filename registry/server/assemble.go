package server

import (
	"context"
	"fmt"
	"net/http"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes"

	"github.com/coracle-k8s/coracle/registry/resource"
)

// assemble puts the parts together: aggregation asks the resources' server, and that custom resources, for what they do
// not have themselves.
func (s *Server) assemble() error {
	s.endpoints = resource.Storage{}
	if err := s.declare(); err != nil {
		return err
	}
	if err := s.configure(); err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(s.generic.LoopbackClientConfig)
	if err != nil {
		return fmt.Errorf("making the server's own client: %w", err)
	}
	s.informers = s.tee.Informers(client, resource.Kinds(s.declarations...))
	if err := s.secure(); err != nil {
		return err
	}
	extensions, err := s.customResources()
	if err != nil {
		return fmt.Errorf("serving custom resources: %w", err)
	}
	main, err := s.generic.Complete(s.informers).New("coracle", extensions.GenericAPIServer)
	if err != nil {
		return err
	}
	if err := s.build(); err != nil {
		return err
	}
	in := installer{scheme: s.scheme, config: s.generic, server: main, endpoints: s.endpoints, types: applyconfigurations.NewTypeConverter(s.scheme.Scheme)}
	if err := in.install(); err != nil {
		return err
	}
	if err := main.AddPostStartHook("storage-readiness", main.StorageReadinessHook.Hook); err != nil {
		return err
	}
	aggregator, err := s.aggregation(main, extensions)
	if err != nil {
		return fmt.Errorf("aggregating API servers: %w", err)
	}
	return s.prepare(aggregator)
}

// notFound is the end of the chain of servers.
func notFound() genericapiserver.DelegationTarget {
	return genericapiserver.NewEmptyDelegateWithCustomHandler(http.NotFoundHandler())
}

type runnable interface{ Run(context.Context) error }
