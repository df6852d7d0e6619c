package admissionregistration

import (
	"context"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/admissionregistration"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type (
	mutatingPolicy  = admissionv1.MutatingAdmissionPolicy
	mutatingBinding = admissionv1.MutatingAdmissionPolicyBinding
)

// MutatingAdmissionPolicies are expressions that change objects.
func mutatingAdmissionPolicies(c Config, expressions compilers) *resource.Resource[*mutatingPolicy] {
	return resource.Define(resource.Definition[*mutatingPolicy]{
		Name: "mutatingadmissionpolicies", Categories: []string{"api-extensions"},
		Default:        admissionregistration.DefaultMutatingPolicy,
		Generation:     func(p *mutatingPolicy) any { return &p.Spec },
		ValidateCreate: admissionregistration.ValidateNotStatic[*mutatingPolicy],
		ValidateRequest: func(ctx context.Context, p, old *mutatingPolicy) field.ErrorList {
			errs := admissionregistration.ValidateMutatingPolicy(p, old, expressions.checker())
			if len(errs) > 0 || old != nil && apiequality.Semantic.DeepEqual(p.Spec.ParamKind, old.Spec.ParamKind) {
				return errs
			}
			return forbidden(c.mayReadKind(ctx, p.Spec.ParamKind), "paramKind")
		},
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
func mutatingAdmissionPolicyBindings(c Config, policies *resource.Resource[*mutatingPolicy]) *resource.Resource[*mutatingBinding] {
	return resource.Define(resource.Definition[*mutatingBinding]{
		Name: "mutatingadmissionpolicybindings", Categories: []string{"api-extensions"},
		Default:        admissionregistration.DefaultMutatingBinding,
		Generation:     func(b *mutatingBinding) any { return &b.Spec },
		ValidateCreate: admissionregistration.ValidateNotStatic[*mutatingBinding],
		ValidateRequest: func(ctx context.Context, b, old *mutatingBinding) field.ErrorList {
			errs := admissionregistration.ValidateMutatingBinding(b)
			if len(errs) > 0 || old != nil && b.Spec.PolicyName == old.Spec.PolicyName && apiequality.Semantic.DeepEqual(b.Spec.ParamRef, old.Spec.ParamRef) {
				return errs
			}
			var kind *admissionv1.ParamKind
			if p, err := policies.Get(ctx, b.Spec.PolicyName); err == nil {
				kind = p.Spec.ParamKind
			}
			return forbidden(c.mayReadParams(ctx, kind, b.Spec.ParamRef), "paramRef")
		},
		VersionRequired: true,
		Columns: []resource.Column[*mutatingBinding]{
			{Name: "PolicyName", Description: policyNameDoc, Cell: func(b *mutatingBinding) any { return b.Spec.PolicyName }},
			{Name: "ParamRef", Description: paramRefDoc, Cell: func(b *mutatingBinding) any { return paramRef(b.Spec.ParamRef) }},
		},
	})
}
