// Package admissionregistration declares the resources of admissionregistration.k8s.io.
package admissionregistration

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/coracle-k8s/coracle/registry/resource"
)

// Config is what the resources need besides their objects.
type Config struct {
	// Authorizer is asked whether who writes a policy or a binding may read its parameters. Nil allows.
	Authorizer authorizer.Authorizer
	// Resource finds the resource of a kind, for that question. An error, or no function, means all resources of the group.
	Resource func(kind schema.GroupVersionKind) (schema.GroupVersionResource, error)
	// ParamKind finds the kind of parameters that a policy has, for its bindings; nil where there is none, or no policy. No
	// function: as if there were no policy.
	ValidatingParamKind, MutatingParamKind func(ctx context.Context, policy string) *schema.GroupVersionKind
}

// Resources of the group.
func Resources(c Config) []resource.Declaration {
	return []resource.Declaration{
		mutatingAdmissionPolicies(c),
		mutatingAdmissionPolicyBindings(c),
		mutatingWebhookConfigurations(),
		validatingAdmissionPolicies(c),
		validatingAdmissionPolicyBindings(c),
		validatingWebhookConfigurations(),
	}
}
