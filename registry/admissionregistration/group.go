// Package admissionregistration declares the resources of admissionregistration.k8s.io.
package admissionregistration

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/coracle-k8s/coracle/registry/resource"
)

// Config is what the resources need besides their objects.
type Config struct {
	// Authorizer is asked whether who writes a policy or a binding may read its parameters. Nil allows.
	Authorizer authorizer.UnconditionalAuthorizer
	// Resource finds the resource of a kind, for that question. An error, or no function, means all resources of the group.
	Resource func(kind schema.GroupVersionKind) (schema.GroupVersionResource, error)
}

// Resources of the group.
func Resources(c Config) []resource.Declaration {
	expressions := newCompilers()
	mutating, validating := mutatingAdmissionPolicies(c, expressions), validatingAdmissionPolicies(c, expressions)
	return []resource.Declaration{
		mutating,
		mutatingAdmissionPolicyBindings(c, mutating),
		mutatingWebhookConfigurations(expressions),
		validating,
		validatingAdmissionPolicyBindings(c, validating),
		validatingWebhookConfigurations(expressions),
	}
}
