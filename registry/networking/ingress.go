package networking

import (
	"context"
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/networking"
	"github.com/coracle-k8s/coracle/registry/column"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type ingress = networkingv1.Ingress

// Ingresses lead HTTP requests from outside to services.
func ingresses() *resource.Resource[*ingress] {
	return resource.Define(resource.Definition[*ingress]{
		Name: "ingresses", Short: []string{"ing"}, Namespaced: true,
		Generation:     func(i *ingress) any { return &i.Spec },
		ValidateCreate: networking.ValidateIngress,
		ValidateUpdate: networking.ValidateIngressUpdate,
		Warnings: func(_ context.Context, i, old *ingress) []string {
			if _, ok := i.Annotations[networking.IngressClassAnnotation]; ok && old == nil && i.Spec.IngressClassName == nil {
				return []string{fmt.Sprintf("annotation %q is deprecated, please use 'spec.ingressClassName' instead", networking.IngressClassAnnotation)}
			}
			return nil
		},
		Columns: []resource.Column[*ingress]{
			{Name: "Class", Description: "The name of the IngressClass resource that should be used for additional configuration", Cell: func(i *ingress) any {
				return column.Text(i.Spec.IngressClassName, "<none>")
			}},
			{Name: "Hosts", Description: "Hosts that incoming requests are matched against before the ingress rule", Cell: hosts},
			{Name: "Address", Description: "Address is a list containing ingress points for the load-balancer", Cell: addresses},
			{Name: "Ports", Description: "Ports of TLS configurations that open", Cell: func(i *ingress) any {
				if len(i.Spec.TLS) > 0 {
					return "80, 443"
				}
				return "80"
			}},
		},
		CopyStatus: func(into, from *ingress) { into.Status = from.Status },
		Status: &resource.Part[*ingress]{
			Validate: networking.ValidateIngressStatus,
			Warnings: func(_ context.Context, i, _ *ingress) (all []string) {
				for j, in := range i.Status.LoadBalancer.Ingress {
					if in.IP != "" {
						all = append(all, validation.GetWarningsForIP(field.NewPath("status", "loadBalancer", "ingress").Index(j), in.IP)...)
					}
				}
				return all
			},
		},
	})
}

// hosts shows the first three.
func hosts(i *ingress) any {
	const shown = 3
	var all []string
	for _, r := range i.Spec.Rules[:min(len(i.Spec.Rules), shown+1)] {
		if r.Host != "" && len(all) < shown {
			all = append(all, r.Host)
		}
	}
	switch text := strings.Join(all, ","); {
	case text == "":
		return "*"
	case len(all) == shown && len(i.Spec.Rules) > shown:
		return fmt.Sprintf("%s + %d more...", text, len(i.Spec.Rules)-shown)
	default:
		return text
	}
}

func addresses(i *ingress) any {
	var all []string
	for _, in := range i.Status.LoadBalancer.Ingress {
		if address := in.IP; address != "" {
			all = append(all, address)
		} else if in.Hostname != "" {
			all = append(all, in.Hostname)
		}
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ",")
}
