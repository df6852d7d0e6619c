package server

import (
	"github.com/coracle-k8s/coracle/registry/apps"
	"github.com/coracle-k8s/coracle/registry/coordination"
	"github.com/coracle-k8s/coracle/registry/discovery"
	"github.com/coracle-k8s/coracle/registry/node"
	"github.com/coracle-k8s/coracle/registry/policy"
	"github.com/coracle-k8s/coracle/registry/resource"
	"github.com/coracle-k8s/coracle/registry/scheduling"
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
		return nil, err
	}
	return []group{
		{resources: apps.Resources()},
		{resources: coordination.Resources()},
		core,
		{resources: discovery.Resources()},
		{resources: node.Resources()},
		{resources: policy.Resources()},
		{resources: scheduling.Resources()},
	}, nil
}
