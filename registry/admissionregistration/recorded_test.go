package admissionregistration

import (
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/admissionregistration"
	"github.com/coracle-k8s/coracle/apis/recorded"
)

func TestAnswersAsRecorded(t *testing.T) {
	expressions := newCompilers()
	recorded.Check(t, map[string]recorded.Kind{
		"MutatingAdmissionPolicy": recorded.Of(admissionregistration.DefaultMutatingPolicy, func(p *admissionv1.MutatingAdmissionPolicy) field.ErrorList {
			return admissionregistration.ValidateMutatingPolicy(p, nil, expressions.checker())
		}, nil),
		"MutatingAdmissionPolicyBinding": recorded.Of(admissionregistration.DefaultMutatingBinding, admissionregistration.ValidateMutatingBinding, nil),
		"MutatingWebhookConfiguration": recorded.Of(admissionregistration.DefaultMutatingWebhooks, func(c *admissionv1.MutatingWebhookConfiguration) field.ErrorList {
			return admissionregistration.ValidateMutatingWebhooks(c, nil, expressions.checker())
		}, nil),
		"ValidatingAdmissionPolicy": recorded.Of(admissionregistration.DefaultValidatingPolicy, func(p *admissionv1.ValidatingAdmissionPolicy) field.ErrorList {
			return admissionregistration.ValidateValidatingPolicy(p, nil, expressions.checker())
		}, nil),
		"ValidatingAdmissionPolicyBinding": recorded.Of(admissionregistration.DefaultValidatingBinding, admissionregistration.ValidateValidatingBinding, nil),
		"ValidatingWebhookConfiguration": recorded.Of(admissionregistration.DefaultValidatingWebhooks, func(c *admissionv1.ValidatingWebhookConfiguration) field.ErrorList {
			return admissionregistration.ValidateValidatingWebhooks(c, nil, expressions.checker())
		}, nil),
	})
}
