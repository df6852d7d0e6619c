package node

import (
	nodev1 "k8s.io/api/node/v1"

	"github.com/coracle-k8s/coracle/apis/node"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type runtimeClass = nodev1.RuntimeClass

// RuntimeClasses name ways in which nodes can run pods.
func runtimeClasses() *resource.Resource[*runtimeClass] {
	return resource.Define(resource.Definition[*runtimeClass]{
		Name:            "runtimeclasses",
		ValidateCreate:  node.ValidateRuntimeClass,
		ValidateUpdate:  node.ValidateRuntimeClassUpdate,
		CreateOnUpdate:  true,
		VersionRequired: true,
		Columns: []resource.Column[*runtimeClass]{
			{Name: "Handler", Cell: func(c *runtimeClass) any { return c.Handler }},
		},
	})
}
