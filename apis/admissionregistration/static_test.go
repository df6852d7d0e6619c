package admissionregistration

import (
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
)

func TestNamesOfStaticConfigurationsAreReserved(t *testing.T) {
	for name, want := range map[string]int{"mine": 0, "static.k8s.io": 0, "mine.static.k8s.io": 1} {
		w := &admissionv1.MutatingWebhookConfiguration{}
		w.Name = name
		if errs := ValidateNotStatic(w); len(errs) != want || want > 0 && errs[0].Field != "metadata.name" {
			t.Errorf("%s: got %v", name, errs)
		}
	}
}
