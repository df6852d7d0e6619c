package server

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/coracle-k8s/coracle/registry/admissionregistration"
	"github.com/coracle-k8s/coracle/registry/apps"
	"github.com/coracle-k8s/coracle/registry/authentication"
	"github.com/coracle-k8s/coracle/registry/authorization"
	"github.com/coracle-k8s/coracle/registry/autoscaling"
	"github.com/coracle-k8s/coracle/registry/batch"
	"github.com/coracle-k8s/coracle/registry/certificates"
	"github.com/coracle-k8s/coracle/registry/coordination"
	"github.com/coracle-k8s/coracle/registry/discovery"
	"github.com/coracle-k8s/coracle/registry/dra"
	"github.com/coracle-k8s/coracle/registry/flowcontrol"
	"github.com/coracle-k8s/coracle/registry/metrics"
	"github.com/coracle-k8s/coracle/registry/networking"
	"github.com/coracle-k8s/coracle/registry/node"
	"github.com/coracle-k8s/coracle/registry/policy"
	"github.com/coracle-k8s/coracle/registry/rbac"
	"github.com/coracle-k8s/coracle/registry/resource"
	"github.com/coracle-k8s/coracle/registry/scheduling"
	"github.com/coracle-k8s/coracle/registry/storagemigration"
	"github.com/coracle-k8s/coracle/registry/volume"
)

// group is the resources of one API group.
type group struct {
	resources []resource.Declaration
	// endpoints are those without objects, by version and path; may be nil.
	endpoints resource.Storage
}

// groups lists what is served besides custom resources and API services.
func (s *Server) groups() ([]group, error) {
	core, err := s.core()
	if err != nil {
		return nil, fmt.Errorf("declaring the core group: %w", err)
	}
	all := []group{
		core,
		{resources: admissionregistration.Resources(admissionregistration.Config{Authorizer: s.authorizer, Resource: s.resourceOf})},
		{resources: apps.Resources()},
		{endpoints: authentication.Endpoints(authentication.Config{
			Authenticator: s.generic.Authentication.Authenticator, Audiences: s.generic.Authentication.APIAudiences,
		})},
		{endpoints: authorization.Endpoints(authorization.Config{Authorizer: s.authorizer, Rules: s.rules})},
		{resources: autoscaling.Resources()},
		{resources: batch.Resources()},
		{resources: certificates.Resources(s.authorizer)},
		{resources: coordination.Resources()},
		{resources: discovery.Resources()},
		{resources: dra.Resources(dra.Config{Namespace: s.informers.Core().V1().Namespaces().Lister().Get})},
		{resources: flowcontrol.Resources()},
		{resources: networking.Resources()},
		{resources: node.Resources()},
		{resources: policy.Resources()},
		{resources: rbac.Resources(s.guard)},
		{resources: scheduling.Resources()},
		{resources: storagemigration.Resources()},
		{resources: volume.Resources()},
	}
	if s.metricsServed() {
		all = append(all, group{endpoints: s.metricsEndpoints()})
	}
	return all, nil
}

// metricsServed reports whether metrics.k8s.io is offered, unless a user's own server is there.
func (s *Server) metricsServed() bool { return !slices.Contains(s.config.Disabled, MetricsServer) }

func (s *Server) metricsEndpoints() resource.Storage {
	core := s.informers.Core().V1()
	return metrics.Endpoints(metrics.Config{
		Figures: metrics.NewKubelets(s.kubelets.To), Pods: core.Pods().Lister(), Nodes: core.Nodes().Lister(),
	})
}

// resourceOf asks the server itself what it serves a kind as.
func (s *Server) resourceOf(kind schema.GroupVersionKind) (schema.GroupVersionResource, error) {
	mapping, err := s.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return schema.GroupVersionResource{}, err
	}
	return mapping.Resource, nil
}
