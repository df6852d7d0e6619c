package server

import (
	"context"
	"fmt"

	"k8s.io/apiextensions-apiserver/pkg/apiserver"
	genericapiserver "k8s.io/apiserver/pkg/server"
	aggregator "k8s.io/kube-aggregator/pkg/apiserver"

	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/registry/server/bootstrap"
)

// addHooks adds what happens when the server starts. /readyz waits for each, by name. A hook that fails ends the process, so
// these try again until they succeed or the server stops.
func (s *Server) addHooks(main *genericapiserver.GenericAPIServer) error {
	if err := main.AddPostStartHook("storage-readiness", main.StorageReadinessHook.Hook); err != nil {
		return fmt.Errorf("adding hooks: %w", err)
	}
	s.bootstrap = bootstrap.New(bootstrap.Config{
		Client:      s.client,
		Informers:   s.informers,
		ServiceCIDR: s.config.ServiceCIDR.Masked(),
		Address:     s.config.AdvertiseAddress,
		Port:        s.config.port(),
		Shared:      s.config.Etcd != nil,
		Trust:       s.trust(),
	})
	for _, step := range bootstrap.Steps() {
		err := main.AddPostStartHook(step.Name, func(hook genericapiserver.PostStartHookContext) error {
			_ = s.bootstrap.Run(hook, step) // fails only when the server stops
			return nil
		})
		if err != nil {
			return fmt.Errorf("adding hooks: %w", err)
		}
	}
	for name, hook := range map[string]genericapiserver.PostStartHookFunc{
		"start-service-ip-repair-controllers": func(hook genericapiserver.PostStartHookContext) error {
			guard.GoKeep(hook, "address repair", s.repairAddresses)
			return nil
		},
		// Who asks for upstream's names finds these too. Admission is complete when the server is assembled, and OpenAPI
		// documents are put together when somebody asks.
		"start-apiserver-admission-initializer": nothing,
		"apiservice-openapi-controller":         nothing,
	} {
		if err := main.AddPostStartHook(name, hook); err != nil {
			return fmt.Errorf("adding hooks: %w", err)
		}
	}
	return nil
}

func nothing(genericapiserver.PostStartHookContext) error { return nil }

func (s *Server) trust() bootstrap.Trust {
	t := bootstrap.Trust{ClientCA: s.config.ClientCA, ProxyCA: s.config.FrontProxy.CA, ProxyNames: s.config.FrontProxy.Names}
	if h := s.generic.Authentication.RequestHeaderConfig; h != nil {
		t.UserHeaders, t.UIDHeaders = h.UsernameHeaders.Value(), h.UIDHeaders.Value()
		t.GroupHeaders, t.ExtraPrefixes = h.GroupHeaders.Value(), h.ExtraHeaderPrefixes.Value()
	}
	return t
}

// prepare ends the assembly: the handler is complete, in-process requests may pass.
func (s *Server) prepare(top *aggregator.APIAggregator, extensions *apiserver.CustomResourceDefinitions) error {
	prepared, err := top.PrepareRun()
	if err != nil {
		return fmt.Errorf("preparing to run: %w", err)
	}
	s.door.Open(top.GenericAPIServer.Handler)
	signals := top.GenericAPIServer.MuxAndDiscoveryCompleteSignals()
	s.run = func(ctx context.Context) error {
		var besides guard.Group
		defer besides.Wait()
		defer extensions.Informers.Shutdown()
		defer top.APIRegistrationInformers.Shutdown()
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		besides.Keep(ctx, "waiting for all URLs", func(ctx context.Context) { s.awaitURLs(ctx, signals) })
		besides.Keep(ctx, "waiting to be ready", s.announce)
		besides.Keep(ctx, "bootstrap", s.bootstrap.Keep)
		besides.Keep(ctx, "registration of groups that others may serve", s.metrics.run)
		s.lookAfterEtcd(ctx, &besides)
		// The libraries look every 100 ms whether these are in sync, unless they are when first looked at.
		extensions.Informers.Start(ctx.Done())
		top.APIRegistrationInformers.Start(ctx.Done())
		extensions.Informers.WaitForCacheSync(ctx.Done())
		top.APIRegistrationInformers.WaitForCacheSync(ctx.Done())
		if ctx.Err() != nil { // a library's hook that waits for them would end the process
			top.GenericAPIServer.Destroy()
			return s.config.Listener.Close()
		}
		return prepared.Run(ctx)
	}
	return nil
}

// awaitURLs notes when all URLs are known, those of custom resources and API services too. Until then, who asks for an
// unknown one is told to try again.
func (s *Server) awaitURLs(ctx context.Context, signals map[string]<-chan struct{}) {
	for _, signal := range signals {
		select {
		case <-signal:
		case <-ctx.Done():
			return
		}
	}
	close(s.complete)
}
