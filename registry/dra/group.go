// Package dra declares the resources of resource.k8s.io: dynamic resource allocation.
package dra

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/registry/resource"
)

// Config is what the resources need besides their objects.
type Config struct {
	// Namespace reads the namespace of a claim that asks for devices which others use. Nil: there are no such namespaces.
	Namespace func(name string) (*corev1.Namespace, error)
}

// Resources of the group.
func Resources(c Config) []resource.Declaration {
	return []resource.Declaration{
		deviceClasses(),
		deviceTaintRules(),
		resourceClaims(c),
		resourceClaimTemplates(c),
		resourceSlices(),
	}
}
