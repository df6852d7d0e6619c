package plugin

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/tools/cache"
)

func attributes(group, resource, subresource string, operation admission.Operation) admission.Attributes {
	gvr := schema.GroupVersionResource{Group: group, Version: "v1", Resource: resource}
	return admission.NewAttributesRecord(&corev1.Pod{}, nil, schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, "ns", "n", gvr, subresource, operation, nil, false, nil)
}

func TestOn(t *testing.T) {
	called := errors.New("called")
	f := func(context.Context, admission.Attributes) error { return called }
	for name, test := range map[string]struct {
		on   On
		a    admission.Attributes
		want bool
	}{
		"its resource":          {On{Resources: []string{"pods"}}, attributes("", "pods", "", admission.Create), true},
		"a subresource of it":   {On{Resources: []string{"pods"}}, attributes("", "pods", "status", admission.Create), false},
		"its subresource":       {On{Resources: []string{"pods/status"}}, attributes("", "pods", "status", admission.Create), true},
		"another group":         {On{Resources: []string{"pods"}}, attributes("metrics.k8s.io", "pods", "", admission.Create), false},
		"everything":            {On{}, attributes("x", "y", "z", admission.Create), true},
		"what it does not want": {On{Concerns: func(admission.Attributes) bool { return false }}, attributes("x", "y", "z", admission.Create), false},
	} {
		test.on.Operations = []admission.Operation{admission.Create}
		err := Mutating(test.on, f).(admission.MutationInterface).Admit(context.Background(), test.a, nil)
		if errors.Is(err, called) != test.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBothKeepToTheirOperations(t *testing.T) {
	admitted, validated := errors.New("admitted"), errors.New("validated")
	p := Both(
		Mutating(On{Operations: []admission.Operation{admission.Create}}, func(context.Context, admission.Attributes) error { return admitted }),
		Validating(On{Operations: []admission.Operation{admission.Update}}, func(context.Context, admission.Attributes) error { return validated }),
	)
	for operation, want := range map[admission.Operation][2]error{admission.Create: {admitted, nil}, admission.Update: {nil, validated}} {
		a := attributes("", "pods", "", operation)
		got := [2]error{p.(admission.MutationInterface).Admit(context.Background(), a, nil), p.(admission.ValidationInterface).Validate(context.Background(), a, nil)}
		if got != want || !p.Handles(operation) {
			t.Errorf("%s: %v", operation, got)
		}
	}
	if p.Handles(admission.Delete) {
		t.Error("handles deletion")
	}
}

func TestUnsyncedPluginRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := On{Operations: []admission.Operation{admission.Create}, Synced: []cache.InformerSynced{func() bool { return false }}}
		p := Validating(on, func(context.Context, admission.Attributes) error { return nil }).(admission.ValidationInterface)
		if err := p.Validate(context.Background(), attributes("", "pods", "", admission.Create), nil); !apierrors.IsForbidden(err) {
			t.Errorf("error %v", err)
		}
	})
}

func TestObjectOfAnotherTypeIsTheClientsFault(t *testing.T) {
	if _, err := Object[*corev1.Node](attributes("", "nodes", "", admission.Create)); !apierrors.IsBadRequest(err) {
		t.Errorf("error %v", err)
	}
}
