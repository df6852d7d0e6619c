package admissionregistration

import (
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

// ValidateMutatingPolicy checks a policy; old is nil on create.
func ValidateMutatingPolicy(p, old *admissionv1.MutatingAdmissionPolicy, check Checker) field.ErrorList {
	s, before, params := &p.Spec, stored{}, p.Spec.ParamKind != nil
	if old != nil {
		before = storedMutations(&old.Spec)
	}
	errs := slices.Concat(
		validateFailurePolicy(s.FailurePolicy), validateParamKind(s.ParamKind), validateConstraints(s.MatchConstraints),
		validateNoDelete(s.MatchConstraints, spec.Child("matchConstraints")),
	)
	if old == nil || !sameConditions(s.MatchConditions, old.Spec.MatchConditions, s.ParamKind, old.Spec.ParamKind) {
		errs = append(errs, validateConditions(s.MatchConditions, params, before, check, spec.Child("matchConditions"))...)
	}
	errs = append(errs, validateVariables(s.Variables, params, before, check)...)
	if len(s.Mutations) == 0 {
		errs = append(errs, field.Required(spec.Child("mutations"), "mutations must contain at least one item"))
	}
	for i := range s.Mutations {
		errs = append(errs, validateMutation(&s.Mutations[i], params, before, check, spec.Child("mutations").Index(i))...)
	}
	return append(errs, rule.RequiredOneOf(s.ReinvocationPolicy, spec.Child("reinvocationPolicy"), admissionv1.IfNeededReinvocationPolicy, admissionv1.NeverReinvocationPolicy)...)
}

func storedMutations(s *admissionv1.MutatingAdmissionPolicySpec) stored {
	before := stored{}
	before.addConditions(s.MatchConditions)
	for _, m := range s.Mutations {
		if m.ApplyConfiguration != nil {
			before.add(UseApply, m.ApplyConfiguration.Expression)
		}
		if m.JSONPatch != nil {
			before.add(UsePatch, m.JSONPatch.Expression)
		}
	}
	return before
}

func validateMutation(m *admissionv1.Mutation, params bool, before stored, check Checker, at *field.Path) (errs field.ErrorList) {
	apply, patch := at.Child("applyConfiguration"), at.Child("jsonPatch")
	switch m.PatchType {
	case admissionv1.PatchTypeJSONPatch:
		if m.JSONPatch == nil {
			errs = append(errs, field.Required(patch, "must be specified when patchType is JSONPatch"))
		} else {
			errs = append(errs, validateChange(UsePatch, m.JSONPatch.Expression, params, before, check, patch)...)
		}
		if m.ApplyConfiguration != nil {
			errs = append(errs, field.Invalid(apply, "{applyConfiguration}", "must not be specified when patchType is JSONPatch"))
		}
	case admissionv1.PatchTypeApplyConfiguration:
		if m.ApplyConfiguration == nil {
			errs = append(errs, field.Required(apply, "must be specified when patchType is ApplyConfiguration"))
		} else {
			errs = append(errs, validateChange(UseApply, m.ApplyConfiguration.Expression, params, before, check, apply)...)
		}
		if m.JSONPatch != nil {
			errs = append(errs, field.Invalid(patch, "{jsonPatch}", "must not be specified when patchType is ApplyConfiguration"))
		}
	default:
		errs = rule.RequiredOneOf(m.PatchType, at.Child("patchType"), admissionv1.PatchTypeApplyConfiguration, admissionv1.PatchTypeJSONPatch)
	}
	return errs
}

func validateChange(use Use, text string, params bool, before stored, check Checker, at *field.Path) field.ErrorList {
	at = at.Child("expression")
	if blank(text) {
		return field.ErrorList{field.Required(at, "")}
	}
	return check(Expression{Use: use, Text: strings.TrimSpace(text), Params: params, Stored: before[use][text]}, at)
}

// ValidateMutatingBinding checks which policy is in force, and for what.
func ValidateMutatingBinding(b *admissionv1.MutatingAdmissionPolicyBinding) field.ErrorList {
	s, at := &b.Spec, spec.Child("matchResources")
	return slices.Concat(validatePolicyName(s.PolicyName), validateParamRef(s.ParamRef), validateMatch(s.MatchResources, at), validateNoDelete(s.MatchResources, at))
}
