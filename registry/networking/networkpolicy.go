package networking

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/apis/networking"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type networkPolicy = networkingv1.NetworkPolicy

// NetworkPolicies say which connections of pods are allowed.
func networkPolicies() *resource.Resource[*networkPolicy] {
	return resource.Define(resource.Definition[*networkPolicy]{
		Name: "networkpolicies", Short: []string{"netpol"}, Namespaced: true,
		Default:        networking.DefaultNetworkPolicy,
		Generation:     func(p *networkPolicy) any { return &p.Spec },
		ValidateCreate: networking.ValidateNetworkPolicy,
		ValidateUpdate: networking.ValidateNetworkPolicyUpdate,
		Warnings:       func(_ context.Context, p, _ *networkPolicy) []string { return networking.NetworkPolicyWarnings(p) },
		Columns: []resource.Column[*networkPolicy]{
			{Name: "Pod-Selector", Description: networkingv1.NetworkPolicySpec{}.SwaggerDoc()["podSelector"], Cell: func(p *networkPolicy) any {
				return metav1.FormatLabelSelector(&p.Spec.PodSelector)
			}},
		},
	})
}
