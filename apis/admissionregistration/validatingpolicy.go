package admissionregistration

import (
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

const (
	maxAnnotations     = 20
	maxAnnotationValue = 5 * 1024
)

// ValidateValidatingPolicy checks a policy; old is nil on create.
func ValidateValidatingPolicy(p, old *admissionv1.ValidatingAdmissionPolicy, check Checker) field.ErrorList {
	s, before, params := &p.Spec, stored{}, p.Spec.ParamKind != nil
	if old != nil {
		before = storedValidations(&old.Spec)
	}
	errs := slices.Concat(validateFailurePolicy(s.FailurePolicy), validateParamKind(s.ParamKind), validateConstraints(s.MatchConstraints))
	if old == nil || !sameConditions(s.MatchConditions, old.Spec.MatchConditions, s.ParamKind, old.Spec.ParamKind) {
		errs = append(errs, validateConditions(s.MatchConditions, params, before, check, spec.Child("matchConditions"))...)
	}
	errs = append(errs, validateVariables(s.Variables, params, before, check)...)
	validations, annotations := spec.Child("validations"), spec.Child("auditAnnotations")
	if len(s.Validations)+len(s.AuditAnnotations) == 0 {
		const detail = "validations or auditAnnotations must contain at least one item"
		return append(errs, field.Required(validations, detail), field.Required(annotations, detail))
	}
	for i := range s.Validations {
		errs = append(errs, validateValidation(&s.Validations[i], params, before, check, validations.Index(i))...)
	}
	return append(errs, validateAnnotations(p, before, check, annotations)...)
}

func storedValidations(s *admissionv1.ValidatingAdmissionPolicySpec) stored {
	before := stored{}
	before.addConditions(s.MatchConditions)
	for _, v := range s.Validations {
		before.add(UseValidation, v.Expression)
		before.add(UseMessage, v.MessageExpression)
	}
	for _, a := range s.AuditAnnotations {
		before.add(UseAudit, a.ValueExpression)
	}
	return before
}

func validateValidation(v *admissionv1.Validation, params bool, before stored, check Checker, at *field.Path) (errs field.ErrorList) {
	if blank(v.Expression) {
		errs = append(errs, field.Required(at.Child("expression"), "expression is not specified"))
	} else {
		errs = append(errs, check(Expression{Use: UseValidation, Text: v.Expression, Params: params, Stored: before[UseValidation][v.Expression]}, at.Child("expression"))...)
	}
	switch text, at := v.MessageExpression, at.Child("messageExpression"); {
	case text == "":
	case blank(text):
		errs = append(errs, field.Invalid(at, text, "must be non-empty if specified"))
	default:
		errs = append(errs, check(Expression{Use: UseMessage, Text: text, Params: params, Stored: before[UseMessage][text]}, at)...)
	}
	switch {
	case v.Message != "" && blank(v.Message):
		errs = append(errs, field.Invalid(at.Child("message"), v.Message, "must be non-empty if specified"))
	case strings.ContainsAny(strings.TrimSpace(v.Message), "\n\r"):
		errs = append(errs, field.Invalid(at.Child("message"), v.Message, "must not contain line breaks"))
	}
	if v.Reason != nil {
		errs = append(errs, rule.OneOf(*v.Reason, at.Child("reason"), metav1.StatusReasonForbidden, metav1.StatusReasonInvalid, metav1.StatusReasonRequestEntityTooLarge)...)
	}
	return errs
}

func validateAnnotations(p *admissionv1.ValidatingAdmissionPolicy, before stored, check Checker, at *field.Path) (errs field.ErrorList) {
	all, seen := p.Spec.AuditAnnotations, map[string]bool{}
	if len(all) > maxAnnotations {
		errs = append(errs, field.Invalid(at, all, fmt.Sprintf("must not have more than %d auditAnnotations", maxAnnotations)))
	}
	for i, a := range all {
		key, value := at.Index(i).Child("key"), at.Index(i).Child("valueExpression")
		if p.Name == "" {
			errs = append(errs, field.Invalid(key, a.Key, "requires metadata.name be non-empty"))
		} else {
			errs = append(errs, rule.QualifiedName(p.Name+"/"+a.Key, key)...)
		}
		switch text := strings.TrimSpace(a.ValueExpression); {
		case text == "":
			errs = append(errs, field.Required(value, "valueExpression is not specified"))
		case len(text) > maxAnnotationValue:
			errs = append(errs, field.Required(value, fmt.Sprintf("must not exceed %d bytes in length", maxAnnotationValue)))
		default:
			errs = append(errs, check(Expression{Use: UseAudit, Text: text, Params: p.Spec.ParamKind != nil, Stored: before[UseAudit][a.ValueExpression]}, value)...)
		}
		if seen[a.Key] {
			errs = append(errs, field.Duplicate(key, a.Key))
		}
		seen[a.Key] = true
	}
	return errs
}

// ValidateValidatingPolicyStatus checks warnings and conditions.
func ValidateValidatingPolicyStatus(p, _ *admissionv1.ValidatingAdmissionPolicy) (errs field.ErrorList) {
	at := field.NewPath("status")
	if c := p.Status.TypeChecking; c != nil {
		for i, w := range c.ExpressionWarnings {
			at := at.Child("typeChecking", "expressionWarnings").Index(i)
			if w.Warning == "" {
				errs = append(errs, field.Required(at.Child("warning"), ""))
			}
			if blank(w.FieldRef) {
				errs = append(errs, field.Required(at.Child("fieldRef"), ""))
			}
		}
	}
	return append(errs, metav1validation.ValidateConditions(p.Status.Conditions, at.Child("conditions"))...)
}

// ValidateValidatingBinding checks which policy is in force, for what, and what happens then.
func ValidateValidatingBinding(b *admissionv1.ValidatingAdmissionPolicyBinding) field.ErrorList {
	s := &b.Spec
	return slices.Concat(
		validatePolicyName(s.PolicyName), validateParamRef(s.ParamRef), validateMatch(s.MatchResources, spec.Child("matchResources")),
		validateActions(s.ValidationActions, spec.Child("validationActions")),
	)
}

func validateActions(actions []admissionv1.ValidationAction, at *field.Path) (errs field.ErrorList) {
	for i, action := range actions {
		errs = append(errs, rule.OneOf(action, at.Index(i), admissionv1.Audit, admissionv1.Deny, admissionv1.Warn)...)
		if slices.Contains(actions[:i], action) {
			errs = append(errs, field.Duplicate(at.Index(i), action))
		}
	}
	if slices.Contains(actions, admissionv1.Deny) && slices.Contains(actions, admissionv1.Warn) {
		errs = append(errs, field.Invalid(at, actions, "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)"))
	}
	if len(actions) == 0 {
		errs = append(errs, field.Required(at, ""))
	}
	return errs
}
