package admissionregistration

import (
	"context"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/admissionregistration"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type (
	mutatingWebhooks   = admissionv1.MutatingWebhookConfiguration
	validatingWebhooks = admissionv1.ValidatingWebhookConfiguration
)

const webhooksDoc = "Webhooks indicates the number of webhooks registered in this configuration"

// MutatingWebhookConfigurations name services that may change objects before they are stored.
func mutatingWebhookConfigurations(expressions compilers) *resource.Resource[*mutatingWebhooks] {
	return resource.Define(resource.Definition[*mutatingWebhooks]{
		Name: "mutatingwebhookconfigurations", Categories: []string{"api-extensions"},
		Default:        admissionregistration.DefaultMutatingWebhooks,
		Generation:     func(c *mutatingWebhooks) any { return c.Webhooks },
		ValidateCreate: admissionregistration.ValidateNotStatic[*mutatingWebhooks],
		ValidateRequest: func(_ context.Context, c, old *mutatingWebhooks) field.ErrorList {
			return admissionregistration.ValidateMutatingWebhooks(c, old, expressions.checker())
		},
		Warnings: func(_ context.Context, c, _ *mutatingWebhooks) []string {
			return admissionregistration.MutatingWebhookWarnings(c)
		},
		VersionRequired: true,
		Columns: []resource.Column[*mutatingWebhooks]{
			{Name: "Webhooks", Type: "integer", Description: webhooksDoc, Cell: func(c *mutatingWebhooks) any { return int64(len(c.Webhooks)) }},
		},
	})
}

// ValidatingWebhookConfigurations name services that may refuse objects before they are stored.
func validatingWebhookConfigurations(expressions compilers) *resource.Resource[*validatingWebhooks] {
	return resource.Define(resource.Definition[*validatingWebhooks]{
		Name: "validatingwebhookconfigurations", Categories: []string{"api-extensions"},
		Default:        admissionregistration.DefaultValidatingWebhooks,
		Generation:     func(c *validatingWebhooks) any { return c.Webhooks },
		ValidateCreate: admissionregistration.ValidateNotStatic[*validatingWebhooks],
		ValidateRequest: func(_ context.Context, c, old *validatingWebhooks) field.ErrorList {
			return admissionregistration.ValidateValidatingWebhooks(c, old, expressions.checker())
		},
		Warnings: func(_ context.Context, c, _ *validatingWebhooks) []string {
			return admissionregistration.ValidatingWebhookWarnings(c)
		},
		VersionRequired: true,
		Columns: []resource.Column[*validatingWebhooks]{
			{Name: "Webhooks", Type: "integer", Description: webhooksDoc, Cell: func(c *validatingWebhooks) any { return int64(len(c.Webhooks)) }},
		},
	})
}
