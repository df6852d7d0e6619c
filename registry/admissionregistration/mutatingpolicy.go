package admissionregistration

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"

	"github.com/coracle-k8s/coracle/apis/admissionregistration"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type (
	mutatingPolicy  = admissionv1.MutatingAdmissionPolicy
	mutatingBinding = admissionv1.MutatingAdmissionPolicyBinding
)

// MutatingAdmissionPolicies are expressions that change objects.
func mutatingAdmissionPolicies(c Config) *resource.Resource[*mutatingPolicy] {
	return resource.Define(resource.Definition[*mutatingPolicy]{
		Name: "mutatingadmissionpolicies", Categories: []string{"api-extensions"},
		Default:         admissionregistration.DefaultMutatingPolicy,
		Generation:      func(p *mutatingPolicy) any { return &p.Spec },
		VersionRequired: true,
		Columns: []resource.Column[*mutatingPolicy]{
			{Name: "Mutations", Type: "integer", Description: "Mutation indicates the number of mutations rules defined in this configuration", Cell: func(p *mutatingPolicy) any {
				return int64(len(p.Spec.Mutations))
			}},
			{Name: "ParamKind", Description: paramKindDoc, Cell: func(p *mutatingPolicy) any { return paramKind(p.Spec.ParamKind) }},
		},
	})
}

// MutatingAdmissionPolicyBindings put policies into force.
func mutatingAdmissionPolicyBindings(c Config) *resource.Resource[*mutatingBinding] {
	return resource.Define(resource.Definition[*mutatingBinding]{
		Name: "mutatingadmissionpolicybindings", Categories: []string{"api-extensions"},
		Default:         admissionregistration.DefaultMutatingBinding,
		Generation:      func(b *mutatingBinding) any { return &b.Spec },
		VersionRequired: true,
		Columns: []resource.Column[*mutatingBinding]{
			{Name: "PolicyName", Description: policyNameDoc, Cell: func(b *mutatingBinding) any { return b.Spec.PolicyName }},
			{Name: "ParamRef", Description: paramRefDoc, Cell: func(b *mutatingBinding) any { return paramRef(b.Spec.ParamRef) }},
		},
	})
}
