package admissionregistration

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"

	"github.com/coracle-k8s/coracle/apis/admissionregistration"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type (
	validatingPolicy  = admissionv1.ValidatingAdmissionPolicy
	validatingBinding = admissionv1.ValidatingAdmissionPolicyBinding
)

// ValidatingAdmissionPolicies are expressions that objects must satisfy.
func validatingAdmissionPolicies(c Config) *resource.Resource[*validatingPolicy] {
	return resource.Define(resource.Definition[*validatingPolicy]{
		Name: "validatingadmissionpolicies", Categories: []string{"api-extensions"},
		Default:         admissionregistration.DefaultValidatingPolicy,
		Generation:      func(p *validatingPolicy) any { return &p.Spec },
		VersionRequired: true,
		Columns: []resource.Column[*validatingPolicy]{
			{Name: "Validations", Type: "integer", Description: "Validations indicates the number of validation rules defined in this configuration", Cell: func(p *validatingPolicy) any {
				return int64(len(p.Spec.Validations))
			}},
			{Name: "ParamKind", Description: paramKindDoc, Cell: func(p *validatingPolicy) any { return paramKind(p.Spec.ParamKind) }},
		},
		CopyStatus: func(into, from *validatingPolicy) { into.Status = from.Status },
		Status: &resource.Part[*validatingPolicy]{
			FreezeMetadata: true,
			Resets:         []string{"metadata", "spec"},
		},
	})
}

// ValidatingAdmissionPolicyBindings put policies into force.
func validatingAdmissionPolicyBindings(c Config) *resource.Resource[*validatingBinding] {
	return resource.Define(resource.Definition[*validatingBinding]{
		Name: "validatingadmissionpolicybindings", Categories: []string{"api-extensions"},
		Default:         admissionregistration.DefaultValidatingBinding,
		Generation:      func(b *validatingBinding) any { return &b.Spec },
		VersionRequired: true,
		Columns: []resource.Column[*validatingBinding]{
			{Name: "PolicyName", Description: policyNameDoc, Cell: func(b *validatingBinding) any { return b.Spec.PolicyName }},
			{Name: "ParamRef", Description: paramRefDoc, Cell: func(b *validatingBinding) any { return paramRef(b.Spec.ParamRef) }},
		},
	})
}
