package core

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/core/address"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type service = corev1.Service

// Services give pods a stable address, taken before the write and given back if it fails.
func services(c Config, pods *resource.Resource[*pod]) *resource.Resource[*service] {
	addresses, primary := c.Addresses, c.Addresses.Families()[0]
	proxy := serviceProxy{pods.Get, c.Slices, primary, c.Proxied}
	return resource.Define(resource.Definition[*service]{
		Name: "services", Short: []string{"svc"}, Categories: []string{"all"}, Namespaced: true,
		NameRule: validation.NameIsDNSLabel,
		Default:  core.DefaultService,
		BeginCreate: func(ctx context.Context, s *service, dryRun bool) (resource.Finish, error) {
			core.SyncClusterIPs(s, nil)
			return addresses.Create(ctx, s, dryRun)
		},
		BeginUpdate: func(ctx context.Context, s, old *service, dryRun bool) (resource.Finish, error) {
			core.CompleteService(old, primary)
			core.KeepAllocated(s, old)
			core.SyncClusterIPs(s, old)
			return addresses.Update(ctx, s, old, dryRun)
		},
		PrepareForUpdate: func(_ context.Context, s, old *service) { core.ClearUnused(s, old) },
		ValidateCreate:   func(s *service) field.ErrorList { return core.ValidateService(s, nil) },
		ValidateUpdate:   core.ValidateServiceUpdate,
		Warnings:         func(_ context.Context, s, _ *service) []string { return core.ServiceWarnings(s) },
		CreateOnUpdate:   true,
		AfterDelete: func(s *service, dryRun bool) {
			if !dryRun {
				releaseService(addresses, s, primary)
			}
		},
		ReturnDeleted: true,
		Decorate:      func(s *service) { core.CompleteService(s, primary) },
		Fields: []resource.Field[*service]{
			{Path: "spec.clusterIP", Value: func(s *service) string { return s.Spec.ClusterIP }},
			{Path: "spec.type", Value: func(s *service) string { return string(s.Spec.Type) }},
		},
		Columns:    serviceColumns(),
		CopyStatus: func(into, from *service) { into.Status = from.Status },
		Status: &resource.Part[*service]{
			Validate: core.ValidateServiceStatusUpdate,
			Warnings: func(_ context.Context, s, _ *service) []string { return core.ServiceStatusWarnings(s) },
		},
		Subresources: map[string]resource.Subresource[*service]{
			"proxy": resource.Connect[*service, *corev1.ServiceProxyOptions]{Methods: proxyMethods, SubPath: true, Do: proxy.connect},
		},
	})
}

// releaseService gives back what the service had. What fails here is found again by the repair of addresses. Its endpoints are
// their controllers' to delete.
func releaseService(addresses *address.Allocator, s *service, primary corev1.IPFamily) {
	core.CompleteService(s, primary)
	addresses.Release(request.WithNamespace(context.Background(), s.Namespace), s)
}

func serviceColumns() []resource.Column[*service] {
	doc := corev1.ServiceSpec{}.SwaggerDoc()
	return []resource.Column[*service]{
		{Name: "Type", Description: doc["type"], Cell: func(s *service) any { return string(s.Spec.Type) }},
		{Name: "Cluster-IP", Description: doc["clusterIP"], Cell: func(s *service) any {
			if len(s.Spec.ClusterIPs) == 0 {
				return "<none>"
			}
			return s.Spec.ClusterIPs[0]
		}},
		{Name: "External-IP", Description: doc["externalIPs"], Cell: func(s *service) any { return externalIP(s) }},
		{Name: "Port(s)", Description: doc["ports"], Cell: func(s *service) any { return servicePorts(s) }},
		{Name: "Selector", Priority: 1, Description: doc["selector"], Cell: func(s *service) any { return labels.FormatLabels(s.Spec.Selector) }},
	}
}

func externalIP(s *service) string {
	switch s.Spec.Type {
	case corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort:
		return cmp.Or(strings.Join(s.Spec.ExternalIPs, ","), "<none>")
	case corev1.ServiceTypeLoadBalancer:
		ingress := map[string]bool{}
		for _, in := range s.Status.LoadBalancer.Ingress {
			if name := cmp.Or(in.IP, in.Hostname); name != "" {
				ingress[name] = true
			}
		}
		all := append(slices.Sorted(maps.Keys(ingress)), s.Spec.ExternalIPs...)
		return cmp.Or(strings.Join(all, ","), "<pending>")
	case corev1.ServiceTypeExternalName:
		return s.Spec.ExternalName
	}
	return "<unknown>"
}

func servicePorts(s *service) string {
	var all []string
	for _, p := range s.Spec.Ports {
		if p.NodePort > 0 {
			all = append(all, fmt.Sprintf("%d:%d/%s", p.Port, p.NodePort, p.Protocol))
		} else {
			all = append(all, fmt.Sprintf("%d/%s", p.Port, p.Protocol))
		}
	}
	return cmp.Or(strings.Join(all, ","), "<none>")
}
