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
	validatingPolicy  = admissionv1.ValidatingAdmissionPolicy
	validatingBinding = admissionv1.ValidatingAdmissionPolicyBinding
)

// ValidatingAdmissionPolicies are expressions that objects must satisfy.
func validatingAdmissionPolicies(c Config, expressions compilers) *resource.Resource[*validatingPolicy] {
	return resource.Define(resource.Definition[*validatingPolicy]{
		Name: "validatingadmissionpolicies", Categories: []string{"api-extensions"},
		Default:        admissionregistration.DefaultValidatingPolicy,
		Generation:     func(p *validatingPolicy) any { return &p.Spec },
		ValidateCreate: admissionregistration.ValidateNotStatic[*validatingPolicy],
		ValidateRequest: func(ctx context.Context, p, old *validatingPolicy) field.ErrorList {
			errs := admissionregistration.ValidateValidatingPolicy(p, old, expressions.checker())
			if len(errs) > 0 || old != nil && apiequality.Semantic.DeepEqual(p.Spec.ParamKind, old.Spec.ParamKind) {
				return errs
			}
			return forbidden(c.mayReadKind(ctx, p.Spec.ParamKind), "paramKind")
		},
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
			Validate:       admissionregistration.ValidateValidatingPolicyStatus,
			Resets:         []string{"metadata", "spec"},
		},
	})
}

// ValidatingAdmissionPolicyBindings put policies into force.
func validatingAdmissionPolicyBindings(c Config, policies *resource.Resource[*validatingPolicy]) *resource.Resource[*validatingBinding] {
	return resource.Define(resource.Definition[*validatingBinding]{
		Name: "validatingadmissionpolicybindings", Categories: []string{"api-extensions"},
		Default:        admissionregistration.DefaultValidatingBinding,
		Generation:     func(b *validatingBinding) any { return &b.Spec },
		ValidateCreate: admissionregistration.ValidateNotStatic[*validatingBinding],
		ValidateRequest: func(ctx context.Context, b, old *validatingBinding) field.ErrorList {
			errs := admissionregistration.ValidateValidatingBinding(b)
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
		Columns: []resource.Column[*validatingBinding]{
			{Name: "PolicyName", Description: policyNameDoc, Cell: func(b *validatingBinding) any { return b.Spec.PolicyName }},
			{Name: "ParamRef", Description: paramRefDoc, Cell: func(b *validatingBinding) any { return paramRef(b.Spec.ParamRef) }},
		},
	})
}
