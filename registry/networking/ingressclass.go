package networking

import (
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/coracle-k8s/coracle/apis/networking"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type ingressClass = networkingv1.IngressClass

// IngressClasses name who implements ingresses, and how.
func ingressClasses() *resource.Resource[*ingressClass] {
	name := column.Name[*ingressClass]()
	name.Cell = func(c *ingressClass) any {
		if c.Annotations[networkingv1.AnnotationIsDefaultIngressClass] == "true" {
			return c.Name + " (default)"
		}
		return c.Name
	}
	return resource.Define(resource.Definition[*ingressClass]{
		Name:           "ingressclasses",
		Default:        networking.DefaultIngressClass,
		Generation:     func(c *ingressClass) any { return &c.Spec },
		Validate:       networking.ValidateIngressClass,
		ValidateUpdate: networking.ValidateIngressClassUpdate,
		Columns: []resource.Column[*ingressClass]{
			name,
			{Name: "Controller", Description: "Controller that is responsible for handling this class", Cell: func(c *ingressClass) any { return c.Spec.Controller }},
			{Name: "Parameters", Description: "A reference to a resource with additional parameters", Cell: parameters},
			column.Age[*ingressClass](),
		},
	})
}

func parameters(c *ingressClass) any {
	p := c.Spec.Parameters
	if p == nil {
		return "<none>"
	}
	kind := p.Kind
	if p.APIGroup != nil {
		kind += "." + *p.APIGroup
	}
	return kind + "/" + p.Name
}
