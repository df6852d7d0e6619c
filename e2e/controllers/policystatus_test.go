package controllers_test

import (
	"fmt"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestPolicyStatusTellsWrongTypes(t *testing.T) {
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "types"},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments"}},
				},
			}}},
			Validations: []admissionregistrationv1.Validation{
				{Expression: "object.spec.replicas > 1"},
				{Expression: "object.spec.replicas > '1'", MessageExpression: "string(object.spec.replicsa)"},
			},
		},
	}
	temporary(t, policy)
	eventually(t, policy, func() error {
		if policy.Status.ObservedGeneration != policy.Generation || policy.Status.TypeChecking == nil {
			return fmt.Errorf("status %+v", policy.Status)
		}
		return nil
	})
	warnings := policy.Status.TypeChecking.ExpressionWarnings
	if len(warnings) != 2 || warnings[0].FieldRef != "spec.validations[1].expression" || !strings.Contains(warnings[0].Warning, "no matching overload") ||
		warnings[1].FieldRef != "spec.validations[1].messageExpression" || !strings.Contains(warnings[1].Warning, "undefined field 'replicsa'") {
		t.Errorf("warnings %+v", warnings)
	}
	change(t, policy, update, func(p *admissionregistrationv1.ValidatingAdmissionPolicy) {
		p.Spec.Validations = p.Spec.Validations[:1]
	})
	eventually(t, policy, func() error {
		if s := policy.Status; s.ObservedGeneration != policy.Generation || s.TypeChecking != nil && len(s.TypeChecking.ExpressionWarnings) > 0 {
			return fmt.Errorf("status %+v", policy.Status)
		}
		return nil
	})
}
