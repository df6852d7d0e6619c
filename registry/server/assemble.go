package server

import (
	"crypto/tls"
	"fmt"
	"net/http"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	"k8s.io/apiextensions-apiserver/pkg/apiserver"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/kubernetes"
	aggregator "k8s.io/kube-aggregator/pkg/apiserver"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1"

	"github.com/coracle-k8s/coracle/registry/admission"
	"github.com/coracle-k8s/coracle/registry/authn/serviceaccount"
	"github.com/coracle-k8s/coracle/registry/resource"
	"github.com/coracle-k8s/coracle/registry/server/openapi"
)

// assemble puts the parts together, in this order: each needs those before it.
func (s *Server) assemble() error {
	for _, step := range []func() error{
		s.configure, s.connect, s.listen, s.issueTokens, s.authorize, s.authenticate, s.declare, s.admit, s.shareFairly, s.serve,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// connect makes the server's own client and informers. They work once the server runs.
func (s *Server) connect() (err error) {
	if s.client, err = kubernetes.NewForConfig(s.generic.LoopbackClientConfig); err != nil {
		return fmt.Errorf("making the server's own client: %w", err)
	}
	s.mapper = admission.Discovered(s.client.Discovery())
	s.informers = s.tee.Informers(s.client, s.scheme.Hubs())
	return nil
}

// serve makes the three servers: aggregation asks that of the resources, and this that of custom resources, for what they
// do not have themselves.
func (s *Server) serve() error {
	extensions, err := s.customResources()
	if err != nil {
		return fmt.Errorf("serving custom resources: %w", err)
	}
	main, err := s.generic.Complete(s.informers).New("coracle", extensions.GenericAPIServer)
	if err != nil {
		return fmt.Errorf("serving resources: %w", err)
	}
	if err := s.install(main); err != nil {
		return err
	}
	top, err := s.aggregation(main, extensions)
	if err != nil {
		return fmt.Errorf("aggregating API servers: %w", err)
	}
	if err := s.document(main, extensions, top); err != nil {
		return err
	}
	return s.prepare(top, extensions)
}

func (s *Server) install(main *genericapiserver.GenericAPIServer) error {
	if err := s.build(); err != nil {
		return err
	}
	s.metrics = &yielding{
		group: metricsv1.GroupName, offers: map[schema.GroupVersion]apidiscoveryv2.APIVersionDiscovery{},
		discovery: main.AggregatedDiscoveryGroupManager,
	}
	in := installer{
		scheme: s.scheme, config: s.generic, server: main, endpoints: s.endpoints, types: openapi.Types(s.config.OpenAPI), yielding: s.metrics,
	}
	if err := in.install(); err != nil {
		return err
	}
	if s.tokens != nil {
		metadata := s.issuerMetadata()
		for _, path := range []string{serviceaccount.ConfigurationPath, serviceaccount.KeySetPath} {
			main.Handler.NonGoRestfulMux.Handle(path, metadata)
			main.Handler.NonGoRestfulMux.UnlistedHandle(path+"/", metadata)
		}
	}
	s.serveEtcd(main.Handler.NonGoRestfulMux)
	return s.addHooks(main)
}

// document describes all that is served.
func (s *Server) document(main *genericapiserver.GenericAPIServer, extensions *apiserver.CustomResourceDefinitions, top *aggregator.APIAggregator) error {
	for _, each := range []*genericapiserver.GenericAPIServer{main, extensions.GenericAPIServer, top.GenericAPIServer} {
		s.services = append(s.services, each.Handler.GoRestfulContainer.RegisteredWebServices()...)
	}
	documents, err := openapi.New(openapi.Config{
		BuiltIn:     s.config.OpenAPI,
		Serves:      func(path string) bool { return s.metrics.serves("/" + path) },
		Definitions: extensions.Informers.Apiextensions().V1().CustomResourceDefinitions().Lister(),
		Aggregated: &openapi.Aggregated{
			Services:    top.APIRegistrationInformers.Apiregistration().V1().APIServices().Lister(),
			Resolver:    s.resolver(),
			Certificate: s.proxyCertificate,
		},
	})
	if err != nil {
		return err
	}
	documents.Install(top.GenericAPIServer.Handler.NonGoRestfulMux)
	return nil
}

// declare registers the resources in the scheme.
func (s *Server) declare() error {
	groups, err := s.groups()
	if err != nil {
		return err
	}
	s.endpoints = resource.Storage{}
	for _, g := range groups {
		for _, d := range g.resources {
			if err := d.Register(s.scheme.Scheme); err != nil {
				return fmt.Errorf("registering resources: %w", err)
			}
		}
		s.declarations = append(s.declarations, g.resources...)
		if err := merge(s.endpoints, g.endpoints); err != nil {
			return err
		}
	}
	return nil
}

// notFound is the end of the chain of servers.
func notFound() genericapiserver.DelegationTarget {
	return genericapiserver.NewEmptyDelegateWithCustomHandler(http.NotFoundHandler())
}

// proxyCertificate is how the server proves itself to aggregated ones; none where it has no certificate for that.
func (s *Server) proxyCertificate() (*tls.Certificate, error) {
	if s.config.FrontProxy.CertFile == "" {
		return &tls.Certificate{}, nil
	}
	pair, err := tls.LoadX509KeyPair(s.config.FrontProxy.CertFile, s.config.FrontProxy.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the front proxy's certificate: %w", err)
	}
	return &pair, nil
}
