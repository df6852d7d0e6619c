package rule

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestMessagesNameFieldsAsUpstream(t *testing.T) {
	at := field.NewPath("x")
	for want, value := range map[string]any{
		`x: Invalid value: {"Group":"","Resource":"services","Namespace":"a","Name":"s"}: no`:                   &networkingv1.ParentReference{Resource: "services", Namespace: "a", Name: "s"},
		`x: Invalid value: {"Key":"k","Operator":"Exists","Value":"","Effect":"","TolerationSeconds":null}: no`: corev1.Toleration{Key: "k", Operator: "Exists"},
		`x: Invalid value: {"Spec":{"Devices":{"Requests":null,"Constraints":null,"Config":null}}}: no`:         resourcev1.ResourceClaimTemplateSpec{},
		`x: Invalid value: {"matchLabels":{"a":"b"}}: no`:                                                       &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}},
		`x: Invalid value: "text": no`: "text",
		`x: Invalid value: null: no`:   (*metav1.LabelSelector)(nil),
	} {
		if got := FieldNames(field.ErrorList{field.Invalid(at, value, "no")})[0].Error(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestEmbeddedFieldsStandInTheirPlaces(t *testing.T) {
	text, err := Internal(corev1.EnvFromSource{Prefix: "p", ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "m"}}}).MarshalJSON()
	if want := `{"Prefix":"p","ConfigMapRef":{"Name":"m","Optional":null},"SecretRef":null}`; err != nil || string(text) != want {
		t.Errorf("%s %v, want %s", text, err, want)
	}
}
