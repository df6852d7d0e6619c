package networking

import (
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/coracle-k8s/coracle/apis/networking"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type ipAddress = networkingv1.IPAddress

// IPAddresses say who has an address of the services' ranges.
func ipAddresses() *resource.Resource[*ipAddress] {
	return resource.Define(resource.Definition[*ipAddress]{
		Name: "ipaddresses", Short: []string{"ip"},
		NameRule:       networking.IPAddressName,
		ValidateCreate: networking.ValidateIPAddress,
		ValidateUpdate: networking.ValidateIPAddressUpdate,
		Columns: []resource.Column[*ipAddress]{
			column.Name[*ipAddress](),
			{Name: "ParentRef", Description: networkingv1.IPAddressSpec{}.SwaggerDoc()["parentRef"], Cell: parent},
		},
	})
}

func parent(a *ipAddress) any {
	p := a.Spec.ParentRef
	if p == nil {
		return "<none>"
	}
	path := []string{strings.ToLower(schema.GroupResource{Group: p.Group, Resource: p.Resource}.String())}
	if p.Namespace != "" {
		path = append(path, p.Namespace)
	}
	return strings.Join(append(path, p.Name), "/")
}
