package api

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/e2e/api/apitest"
)

// reviewing answers admission reviews, over TLS, and returns its URL and the certificate to trust.
func reviewing(t *testing.T, answer func(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse) (url string, trust []byte) {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		review.Response = answer(review.Request)
		review.Response.UID = review.Request.UID
		_ = json.NewEncoder(w).Encode(review)
	}))
	t.Cleanup(s.Close)
	return s.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

func configMapRules() []admissionregistrationv1.RuleWithOperations {
	return []admissionregistrationv1.RuleWithOperations{{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
	}}
}

func TestMutatingWebhooksChangeObjects(t *testing.T) {
	t.Parallel()
	r := apitest.Start(t)
	url, trust := reviewing(t, func(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
		return &admissionv1.AdmissionResponse{
			Allowed: true, PatchType: ptr.To(admissionv1.PatchTypeJSONPatch), Patch: []byte(`[{"op":"add","path":"/data/seen","value":"yes"}]`),
		}
	})
	ctx, client := apitest.Context(t), r.Client(t)
	_, err := client.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(ctx, &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "w"},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "w.example.com", ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: trust},
			Rules: configMapRules(), SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the webhook is called", func() bool {
		made, err := client.CoreV1().ConfigMaps("default").Create(ctx, configMap("x"), metav1.CreateOptions{DryRun: dryRun()})
		return err == nil && made.Data["seen"] == "yes"
	})
}

func TestValidatingWebhooksRefuseObjects(t *testing.T) {
	t.Parallel()
	r := apitest.Start(t)
	url, trust := reviewing(t, func(q *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
		return &admissionv1.AdmissionResponse{Allowed: q.Name != "bad", Result: &metav1.Status{Message: "it is bad"}}
	})
	ctx, client := apitest.Context(t), r.Client(t)
	_, err := client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(ctx, &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "w"},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "w.example.com", ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: trust},
			Rules: configMapRules(), SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	create := func(name string) error {
		_, err := client.CoreV1().ConfigMaps("default").Create(ctx, configMap(name), metav1.CreateOptions{DryRun: dryRun()})
		return err
	}
	eventually(t, "the webhook refuses", func() bool {
		err := create("bad")
		return err != nil && strings.Contains(err.Error(), "it is bad")
	})
	if err := create("good"); err != nil {
		t.Error(err)
	}
}

func TestAdmissionPoliciesRefuseObjects(t *testing.T) {
	t.Parallel()
	r := apitest.Start(t)
	ctx, client := apitest.Context(t), r.Client(t)
	policies := client.AdmissionregistrationV1()
	_, err := policies.ValidatingAdmissionPolicies().Create(ctx, &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "p"},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: configMapRules()[0]}}},
			Validations:      []admissionregistrationv1.Validation{{Expression: `object.metadata.name != "bad"`, Message: "it is bad"}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = policies.ValidatingAdmissionPolicyBindings().Create(ctx, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "p"},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: "p", ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the policy refuses", func() bool {
		_, err := client.CoreV1().ConfigMaps("default").Create(ctx, configMap("bad"), metav1.CreateOptions{DryRun: dryRun()})
		return err != nil && strings.Contains(err.Error(), "it is bad")
	})
}
